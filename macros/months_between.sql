{# Months of 30.44 days from one date to another, as a double; negative when `later` is earlier. #}
{% macro months_between(earlier, later) -%}
    cast(date_diff('day', {{ earlier }}, {{ later }}) as double) / 30.44e0
{%- endmacro %}
