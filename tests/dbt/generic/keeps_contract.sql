{#
The table keeps all its simple rules: one query for all of them, on every engine, with a row for each
broken rule. The rules are the constraints of its YAML (macros/contract_rules.sql); what dbt has no
constraint for is given here, and which columns of a source may be null after all.
#}
{% test keeps_contract(model, primary_key=none, references=[], averages=[], row_count=none, nullable=[]) %}
    {%- if execute -%}
        {{ proof_of_contract(node_of(model), model, primary_key, references, averages, row_count, nullable) }}
    {%- else -%}
        select 1
    {%- endif -%}
{% endtest %}
