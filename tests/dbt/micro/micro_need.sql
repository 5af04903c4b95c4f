-- What features, business columns and marts rest on is read from the needs of their YAML.
with

expected (kind, name, table_name, column_name, tier) as (
    values
    ('business', 'province_code', 'customer_attributes', 'province_code', ''),
    ('feature', 'sentiment_label', 'customer_interactions', 'date', '2B'),
    ('feature', 'sentiment_label', 'customer_interactions', 'interaction_summary', '2B'),
    ('mart', 'mart_customer_interaction', 'customer_interactions', 'date', ''),
    ('mart', 'mart_observed_churn', 'churn_label', 'churn', '')
),

actual as (
    {% set names = ['province_code', 'sentiment_label', 'mart_customer_interaction', 'mart_observed_churn'] -%}
    {% for use in gold_inputs() if use.name in names -%}
    select
        '{{ use.kind }}' as kind,
        '{{ use.name }}' as name,
        '{{ use.table }}' as table_name,
        '{{ use.column }}' as column_name,
        '{{ use.tier }}' as tier
    {{ 'union all' if not loop.last }}
    {% else %}
    select * from expected where 1 = 0
    {% endfor %}
)

{{ rows_that_differ(['kind', 'name', 'table_name', 'column_name'], ['tier']) }}
