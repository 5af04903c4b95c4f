-- Which rules the raw files break, and in how many rows.
{% set sources = [
    source('raw', 'churn_label'),
    source('raw', 'customer_attributes'),
    source('raw', 'customer_contracts'),
    source('raw', 'price_history'),
    source('raw', 'costs_by_province_month'),
    source('raw', 'customer_interactions'),
    source('raw', 'consumption_hourly'),
] -%}
with

expected (table_name, column_name, rule, broken_row_count) as (
    values
    ('price_history', 'customer_id', 'not_null', 1),
    ('price_history', 'variable_price_tier1_eur_kwh', 'check variable_price_tier1_eur_kwh <= 5', 1),
    ('price_history', 'variable_price_tier2_eur_kwh', 'check variable_price_tier2_eur_kwh <= 5', 1),
    ('price_history', 'variable_price_tier3_eur_kwh', 'check variable_price_tier3_eur_kwh <= 5', 1),
    ('consumption_hourly', 'customer_id', 'not_null', 1)
),

actual as (
    {% for relation in sources if execute -%}
    select * from ({{ broken_rules(relation, contract_rules(node_of(relation))) }}) as proof_{{ loop.index }}
    {{ 'union all' if not loop.last }}
    {% else %}
    select * from expected where 1 = 0
    {% endfor %}
)

{{ rows_that_differ(['table_name', 'column_name', 'rule'], ['broken_row_count']) }}
