{#
Every date of every landed table: the column, the bronze model and its column that hold it, the silver
model and column that pass it on to the features (none where it stays behind), and what is done about
dates after the as-of date. `month` columns count from the end of the window: a month that is still
running on the as-of date is not known yet. It has as many parents as there are dated tables.
#}
{% set dates = [
    ('churn_label', 'label_date', 'bronze_churn_label', 'label_date', 'date', none, none, 'left_out'),
    ('customer_attributes', 'snapshot_date', 'bronze_customer', 'attribute_snapshot_date', 'date',
        none, none, 'left_out'),
    ('customer_contracts', 'snapshot_date', 'bronze_customer', 'contract_snapshot_date', 'date',
        none, none, 'left_out'),
    ('customer_contracts', 'customer_first_activation_date', 'bronze_customer', 'customer_first_activation_date', 'date',
        'silver_customer', 'customer_first_activation_date', 'left_out'),
    ('customer_contracts', 'contract_start_date', 'bronze_customer', 'contract_start_date', 'date',
        none, none, 'not_used'),
    ('customer_contracts', 'last_product_change_date', 'bronze_customer', 'last_product_change_date', 'date',
        'silver_customer', 'last_product_change_date', 'emptied'),
    ('customer_contracts', 'next_renewal_date', 'bronze_customer', 'next_renewal_date', 'date',
        'silver_customer', 'next_renewal_date', 'known_ahead'),
    ('customer_interactions', 'date', 'bronze_interaction', 'interaction_date', 'date',
        'silver_interaction', 'interaction_date', 'left_out'),
    ('customer_interactions', 'recorded_date', 'bronze_interaction', 'recorded_date', 'date',
        'silver_interaction', 'recorded_date', 'left_out'),
    ('price_history', 'pricing_date', 'bronze_price_month', 'newest_pricing_date', 'date',
        'silver_price_month', 'month_start', 'left_out'),
    ('consumption_hourly', 'timestamp', 'bronze_customer_month', 'month_start', 'month',
        'silver_customer_month', 'month_start', 'left_out'),
    ('costs_by_province_month', 'month', 'bronze_province_cost_month', 'month_start', 'month',
        'silver_customer_month', 'month_start', 'left_out'),
] %}
with

observation_window as (
    {{ observation_window() }}
),

limits as (
    select
        as_of_date,
        {{ add_days(1, 'as_of_date') }} as first_unknown_date,
        window_end_date as first_unknown_month
    from observation_window
),

{% for table, column, landed_model, landed_column, kind, used_model, used_column, treatment in dates %}
landed_{{ loop.index }} as (
    select
        count(landed.{{ landed_column }}) as landed_count,
        count(case when landed.{{ landed_column }} >= limits.first_unknown_{{ kind }} then 1 end) as landed_after_count,
        cast(max(landed.{{ landed_column }}) as date) as latest_date
    from limits
    left join {{ ref(landed_model) }} as landed
        on true
),

used_{{ loop.index }} as (
    {% if used_model %}
    select count(*) as used_after_count
    from {{ ref(used_model) }} as used
    cross join limits
    where used.{{ used_column }} >= limits.first_unknown_{{ 'month' if used_column == 'month_start' else 'date' }}
    {% else %}
    select cast(0 as bigint) as used_after_count
    {% endif %}
),

{% endfor %}
final as (
    {% for table, column, landed_model, landed_column, kind, used_model, used_column, treatment in dates %}
    select
        '{{ table }}' as source_table,
        '{{ column }}' as source_column,
        ---------- attributes
        limits.as_of_date,
        '{{ treatment }}' as treatment,
        ---------- dates
        landed_{{ loop.index }}.latest_date,
        ---------- counts
        landed_{{ loop.index }}.landed_count,
        landed_{{ loop.index }}.landed_after_count,
        used_{{ loop.index }}.used_after_count
    from limits
    cross join landed_{{ loop.index }}
    cross join used_{{ loop.index }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from final
