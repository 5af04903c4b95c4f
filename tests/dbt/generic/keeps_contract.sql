{#
The table keeps all its simple rules: one query for all of them, on every engine, with a row for each
broken rule. The rules are the constraints of its YAML (macros/contract_rules.sql); what dbt has no
constraint for is given here, and which columns of a source may be null after all.
#}
{% test keeps_contract(model, primary_key=none, references=[], averages=[], row_count=none, nullable=[]) %}
    {%- if execute -%}
        {%- set rules = [] -%}
        {%- for rule in contract_rules(node_of(model), primary_key)
            if not (rule.rule == 'not_null' and rule.column in nullable) -%}
            {%- do rules.append(rule) -%}
        {%- endfor -%}
        {{ broken_rules(model, rules, references, averages, row_count) }}
    {%- else -%}
        select 1
    {%- endif -%}
{% endtest %}
