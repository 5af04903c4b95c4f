{# The date that a run looks from: the variable, or the last day of the newest landed month. #}
{% macro as_of_date() -%}
    {%- if var('as_of_date', none) -%}
        cast('{{ var("as_of_date") }}' as date)
    {%- else -%}
        (select max(landed.month_end_date) from {{ ref('bronze_hour') }} as landed)
    {%- endif -%}
{%- endmacro %}
