{# 1 where a condition holds, 0 where it does not or is unknown. #}
{% macro flag(condition) -%}
    cast(case when {{ condition }} then 1 else 0 end as integer)
{%- endmacro %}
