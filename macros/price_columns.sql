{# What price_history says of a customer's month; each is imputed on its own. #}
{% macro price_columns() -%}
    {{ return([
        'variable_price_tier1_eur_kwh',
        'variable_price_tier2_eur_kwh',
        'variable_price_tier3_eur_kwh',
        'elec_fixed_fee_eur_month',
        'elec_fixed_cost_eur_month',
        'gas_variable_price_eur_m3',
        'gas_fixed_revenue_eur_year',
        'gas_fixed_cost_eur_year',
    ]) }}
{%- endmacro %}
