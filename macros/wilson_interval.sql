{# The ends of the 95% interval of a share by Wilson (1927), which holds for few customers and for shares near 0 too. #}
{% macro wilson_low(count, total) -%}
    {#- The last bit of a double must not put the share outside of its interval. -#}
    greatest(0e0, least(1e0 * {{ count }} / {{ total }}, {{ _wilson(count, total, '-') }}))
{%- endmacro %}

{% macro wilson_high(count, total) -%}
    least(1e0, greatest(1e0 * {{ count }} / {{ total }}, {{ _wilson(count, total, '+') }}))
{%- endmacro %}

{% macro _wilson(count, total, side) -%}
    {%- set z = '1.959963984540054e0' -%}
    {%- set share = '(1e0 * ' ~ count ~ ' / ' ~ total ~ ')' -%}
    {%- set spread = share ~ ' * (1e0 - ' ~ share ~ ') / ' ~ total ~ ' + ' ~ z ~ ' * ' ~ z ~ ' / (4e0 * ' ~ total ~ ' * ' ~ total ~ ')' -%}
    ({{ share }} + {{ z }} * {{ z }} / (2e0 * {{ total }}) {{ side }} {{ z }} * sqrt({{ spread }}))
    / (1e0 + {{ z }} * {{ z }} / {{ total }})
{%- endmacro %}
