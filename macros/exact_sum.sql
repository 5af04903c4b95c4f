{#
Aggregates of doubles that do not depend on the order in which an engine adds up.

Each value is rounded to a number of digits after the point and added up as a whole number of those, which is exact
below 9e15: with 6 digits, up to 9 thousand million. Beyond that they are ordinary sums. So no rows are sorted or kept,
and any number of threads gives the same result.
#}
{% macro exact_sum(expression, digits=6) -%}
    sum(round(({{ expression }}) * 1e{{ digits }})) / 1e{{ digits }}
{%- endmacro %}

{% macro exact_mean(expression, digits=6) -%}
    {{ exact_sum(expression, digits) }} / nullif(count({{ expression }}), 0)
{%- endmacro %}

{#
Standard deviation of a sample. Squares are added up as decimals of 38 digits: with 6 digits after the point those of
any number of customers fit, with 9 those of ten thousand values. It is not known of one value, nor where a value is
not a number or reaches 100 million.
#}
{% macro exact_stddev(expression, digits=6) -%}
    {%- set whole -%}
        case when abs({{ expression }}) < 1e8 then cast(round(({{ expression }}) * 1e{{ digits }}) as decimal(38, 0)) end
    {%- endset -%}
    case
            when count({{ expression }}) < 2 or count({{ whole }}) < count({{ expression }}) then null
            when min({{ expression }}) = max({{ expression }}) then 0e0
            else
                sqrt(greatest(
                    0e0,
                    cast(sum({{ whole }} * {{ whole }}) as double)
                    - power(cast(sum({{ whole }}) as double), 2) / count({{ expression }})
                ) / (count({{ expression }}) - 1)) / 1e{{ digits }}
        end
{%- endmacro %}
