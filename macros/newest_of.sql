{# The newest of some dates, of which any may be null; null where all are. Trino's greatest is null where one is. #}
{% macro newest_of(dates) -%}
    nullif(
        greatest({% for date in dates %}coalesce({{ date }}, date '0001-01-01'){{ ', ' if not loop.last }}{% endfor %}),
        date '0001-01-01'
    )
{%- endmacro %}
