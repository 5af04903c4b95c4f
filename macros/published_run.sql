{#
The run whose scores marts show, as an expression: the published one by the runs' own records. Only a
run itself sets the variable: it builds marts before it publishes.
#}
{% macro shown_run_id() -%}
    {{ return(_of_published_run('run_id')) }}
{%- endmacro %}

{# Whose sentiment labels are read: those that the shown run read. `none` is nobody's. #}
{% macro sentiment_backend() -%}
    {{ return(_of_published_run('sentiment_backend')) }}
{%- endmacro %}

{# The model is named whether it is read or not, so that the lineage does not depend on variables. #}
{% macro _of_published_run(name) -%}
    {%- set published_run = ref('bronze_published_run') -%}
    {%- if var(name, none) -%}
        {{ return("'" ~ var(name) ~ "'") }}
    {%- endif -%}
    {{ return('(select ' ~ name ~ ' from ' ~ published_run ~ ')') }}
{%- endmacro %}
