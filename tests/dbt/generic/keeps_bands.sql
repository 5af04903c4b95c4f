{#
Quantities lie where experience expects them, all in one query: for severity warn, as they say that
something is odd, not that a row is wrong.
#}
{% test keeps_bands(model, references=[], averages=[], row_count=none) %}
    {%- if execute -%}
        {{ broken_rules(model, [], references, averages, row_count) }}
    {%- else -%}
        select 1
    {%- endif -%}
{% endtest %}
