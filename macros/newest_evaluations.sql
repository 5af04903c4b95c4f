{#- The run that evaluated each model version last, one row a version. Run ids sort by time, and an
    evaluation writes its gate last: one that was cut short shows nothing. -#}
{% macro newest_evaluations() -%}
    select
        model_version,
        max(run_id) as run_id
    from {{ source('ml', 'model_gate') }}
    group by model_version
{%- endmacro %}
