{# What an incremental build does first: rows of the as-of dates that it builds anew go. Others stay. #}
{% macro delete_as_of_dates(table, as_of_dates) -%}
    {%- if is_incremental() -%}
        delete from {{ table }}
        where as_of_date in (select as_of_date from {{ as_of_dates }})
    {%- endif -%}
{%- endmacro %}
