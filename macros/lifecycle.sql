{# Where a customer stands in time: groups of tenure and of time to renewal, for features and for the life table.
Each is a list of names with the months up to which it goes; the last has no end. #}
{% macro tenure_bands() -%}
    {{ return([('0-6m', 6), ('6-12m', 12), ('1-2y', 24), ('2-5y', 60)]) }}
{%- endmacro %}

{% macro late_tenure_bands() -%}
    {{ return([('5-7y', 84), ('7-10y', 120), ('10y+', none)]) }}
{%- endmacro %}

{% macro renewal_bands() -%}
    {{ return([('expired', 0), ('0-3m', 3), ('3-6m', 6), ('6-12m', 12), ('12m+', none)]) }}
{%- endmacro %}

{% macro tenure_bucket(months) -%}
    {{ _band(months, tenure_bands() + [('5y+', none)]) }}
{%- endmacro %}

{# As tenure_bucket, with the last group in three: the longer somebody stays, the rarer they leave. #}
{% macro tenure_group(months) -%}
    {{ _band(months, tenure_bands() + late_tenure_bands()) }}
{%- endmacro %}

{% macro renewal_bucket(months) -%}
    {{ _band(months, renewal_bands()) }}
{%- endmacro %}

{# The names of bands, and the one of what is not known, as rows of `values`. #}
{% macro band_rows(bands) -%}
    values {% for name, _ in bands %}('{{ name }}'), {% endfor %}('unknown')
{%- endmacro %}

{% macro _band(months, bands) -%}
    case
        {% for name, most in bands %}
        when {{ months }} {{ '> ' ~ bands[loop.index0 - 1][1] if most is none else '<= ' ~ most }} then '{{ name }}'
        {% endfor %}
        else 'unknown'
    end
{%- endmacro %}
