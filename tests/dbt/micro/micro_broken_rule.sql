-- Which rules the raw files break, and in how many rows; and bands that hold at their bounds, or do not.
{% set sources = [
    source('raw', 'churn_label'),
    source('raw', 'customer_attributes'),
    source('raw', 'customer_contracts'),
    source('raw', 'price_history'),
    source('raw', 'costs_by_province_month'),
    source('raw', 'customer_interactions'),
    source('raw', 'consumption_hourly'),
] -%}
{% set labels = sources[0] -%}
{% set contracts = sources[2] -%}
{% set labelled = {'column': 'customer_id', 'to': labels, 'field': 'customer_id'} -%}
{% set labelled_besides = {'column': 'customer_id', 'to': labels, 'field': 'customer_id', 'besides': ['C00015', 'C00016']} -%}
{% set empty = ref('bronze_missing_input') -%}
{% set ones = [
    {'name': 'one', 'expression': '1', 'minimum': 1, 'maximum': 1},
    {'name': 'one', 'expression': '1', 'minimum': 2, 'maximum': 3},
    {'name': 'one', 'expression': '1', 'minimum': 0, 'maximum': 0.5},
] -%}
{% set proofs = [] -%}
{% for relation in sources if execute -%}
{% do proofs.append(broken_rules(relation, contract_rules(node_of(relation)))) -%}
{% endfor -%}
{% do proofs.append(broken_rules(contracts, [], references=[labelled])) -%}
{% do proofs.append(broken_rules(sources[5], [], references=[labelled])) -%}
{% do proofs.append(broken_rules(sources[1], [], references=[labelled_besides])) -%}
{% do proofs.append(broken_rules(labels, [], averages=ones, row_count={'minimum': 31, 'maximum': 31})) -%}
{% do proofs.append(broken_rules(labels, [], row_count={'minimum': 32, 'maximum': 40})) -%}
{% do proofs.append(broken_rules(labels, [], row_count={'minimum': 1, 'maximum': 30})) -%}
{% do proofs.append(broken_rules(empty, [], averages=ones, row_count={'minimum': 1, 'maximum': 2})) -%}
with

expected (table_name, column_name, rule, broken_row_count) as (
    values
    ('price_history', 'customer_id', 'not_null', 1),
    ('price_history', 'variable_price_tier1_eur_kwh', 'check variable_price_tier1_eur_kwh <= 5', 1),
    ('price_history', 'variable_price_tier2_eur_kwh', 'check variable_price_tier2_eur_kwh <= 5', 1),
    ('price_history', 'variable_price_tier3_eur_kwh', 'check variable_price_tier3_eur_kwh <= 5', 1),
    ('consumption_hourly', 'customer_id', 'not_null', 1),
    ('customer_contracts', 'customer_id', 'references churn_label.customer_id', 4),
    ('customer_interactions', 'customer_id', 'references churn_label.customer_id', 1),
    ('customer_attributes', 'customer_id', 'references churn_label.customer_id', 1),
    ('churn_label', '', 'mean of one between 2 and 3', 31),
    ('churn_label', '', 'mean of one between 0 and 0.5', 31),
    ('churn_label', '', 'row count between 32 and 40', 31),
    ('churn_label', '', 'row count between 1 and 30', 31),
    ('bronze_missing_input', '', 'row count between 1 and 2', 1)
),

actual as (
    {% for proof in proofs -%}
    select * from ({{ proof }}) as proof_{{ loop.index }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

{{ rows_that_differ(['table_name', 'column_name', 'rule'], ['broken_row_count']) }}
