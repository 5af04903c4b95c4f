{# Expected loss a month, in euro: 0 with a margin that is not positive, null where the margin is not known. #}
{% macro expected_loss(probability, margin) -%}
    case
        when {{ is_finite(margin) }}
            then case when {{ margin }} > 0 then {{ probability }} * {{ margin }} else 0e0 end
    end
{%- endmacro %}
