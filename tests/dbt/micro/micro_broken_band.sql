-- Bands hold at their bounds, and say beyond them how many rows a table has; references say which rows lack one.
{% set labels = source('raw', 'churn_label') -%}
{% set labelled = {'column': 'customer_id', 'to': labels, 'field': 'customer_id'} -%}
{% set labelled_besides = {'column': 'customer_id', 'to': labels, 'field': 'customer_id', 'besides': ['C00015', 'C00016']} -%}
{% set ones = [
    {'name': 'one', 'expression': '1', 'minimum': 1, 'maximum': 1},
    {'name': 'one', 'expression': '1', 'minimum': 2, 'maximum': 3},
    {'name': 'one', 'expression': '1', 'minimum': 0, 'maximum': 0.5},
] -%}
{% set proofs = [
    broken_rules(source('raw', 'customer_contracts'), [], references=[labelled]),
    broken_rules(source('raw', 'customer_interactions'), [], references=[labelled]),
    broken_rules(source('raw', 'customer_attributes'), [], references=[labelled_besides]),
    broken_rules(labels, [], averages=ones, row_count={'minimum': 31, 'maximum': 31}),
    broken_rules(labels, [], row_count={'minimum': 32, 'maximum': 40}),
    broken_rules(labels, [], row_count={'minimum': 1, 'maximum': 30}),
    broken_rules(ref('bronze_missing_input'), [], averages=ones, row_count={'minimum': 1, 'maximum': 2}),
] -%}
with

expected (table_name, column_name, rule, broken_row_count) as (
    values
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
