{#
One row: the as-of date and the window of the twelve whole months that end with it.
Consumption is known by the month, so a month that is still running on the as-of date is left out:
it would bring in readings of days after that date.
#}
{% macro observation_window() -%}
    select
        as_of.as_of_date,
        {{ add_months(-12, _month_after('as_of.as_of_date')) }} as window_start_date,
        {{ _month_after('as_of.as_of_date') }} as window_end_date
    from (select {{ as_of_date() }} as as_of_date) as as_of
{%- endmacro %}

{# First day of the month that the day after a date lies in. #}
{% macro _month_after(of_date) -%}
    cast(date_trunc('month', {{ add_days(1, of_date) }}) as date)
{%- endmacro %}
