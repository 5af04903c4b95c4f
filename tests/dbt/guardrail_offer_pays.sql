-- No offer is expected to cost more than it brings: computed again from gold, the seeds and the learned rates.
with

economics as (
    select
        max(case when name = 'contact_cost_eur' then value end) as contact_cost_eur,
        coalesce(max(case when name = 'drive_away_probability' then value end), 0e0) as drive_away_probability
    from {{ ref('economics') }}
),

newest_rates as (
    {{ newest_learning() }}
),

customer_rates as (
    {{ rates_by_customer() }}
),

valued as (
    select
        recommendations.customer_id,
        (
            recommendations.churn_probability * coalesce(customer_rates.save_probability, rates.save_probability)
            * months.saved_value_months
            - (1 - recommendations.churn_probability) * economics.drive_away_probability * months.stayer_value_months
        )
        * customers.avg_monthly_margin_eur
        - recommendations.offer_budget_eur - economics.contact_cost_eur as net_value_eur
    from {{ ref('mart_recommendation') }} as recommendations
    inner join {{ ref('gold_master') }} as customers
        on
            recommendations.customer_id = customers.customer_id
            and recommendations.as_of_date = customers.as_of_date
    inner join {{ ref('silver_remaining_months') }} as months
        on
            recommendations.customer_id = months.customer_id
            and recommendations.as_of_date = months.as_of_date
    inner join {{ ref('mart_offer_rate') }} as rates
        on
            recommendations.offer = rates.offer
            and recommendations.risk_tier = rates.risk_tier
    left join customer_rates
        on
            recommendations.customer_id = customer_rates.customer_id
            and recommendations.offer = customer_rates.offer
    cross join economics
    where recommendations.offer <> 'no_offer'
)

select * from valued
where not ({{ is_finite('net_value_eur') }} and net_value_eur >= -0.000001)
