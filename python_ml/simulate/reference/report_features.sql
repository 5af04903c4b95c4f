-- One row per customer, from the raw files alone, for `simulation_report`. It follows the rules of
-- the features by a second way, so that the report does not lean on what it checks.
-- Views read here: attributes, contracts, labels, prices, costs, hourly, hour (calendar), newest
-- (newest interaction with intent and sentiment).
create or replace temp table customer_month as
with

used as (
    select
        customer_id,
        month,
        price_tier,
        sum(greatest(consumption_elec_kwh, 0)) as elec_kwh,
        sum(greatest(consumption_gas_m3, 0)) as gas_m3,
        count(*) as reading_count,
        count(*) filter (where consumption_elec_kwh < 0) as negative_elec_count,
        sum(least(consumption_elec_kwh, 0)) as negative_elec_kwh,
        count(*) filter (where consumption_gas_m3 < 0) as negative_gas_count,
        sum(least(consumption_gas_m3, 0)) as negative_gas_m3,
        min(consumption_gas_m3) as lowest_gas_m3
    from hourly
    inner join hour using ("timestamp")
    where customer_id is not null
    group by customer_id, month, price_tier
),

months as (
    select
        customer_id,
        month,
        coalesce(sum(elec_kwh) filter (where price_tier = 1), 0) as tier1_kwh,
        coalesce(sum(elec_kwh) filter (where price_tier = 2), 0) as tier2_kwh,
        coalesce(sum(elec_kwh) filter (where price_tier = 3), 0) as tier3_kwh,
        sum(elec_kwh) as elec_kwh,
        sum(gas_m3) as gas_m3,
        sum(reading_count) as reading_count,
        sum(negative_elec_count) as negative_elec_count,
        sum(negative_elec_kwh) as negative_elec_kwh,
        sum(negative_gas_count) as negative_gas_count,
        sum(negative_gas_m3) as negative_gas_m3,
        min(lowest_gas_m3) as lowest_gas_m3
    from used
    group by customer_id, month
),

known as (
    select
        customer_id,
        strftime(pricing_date, '%Y-%m') as month,
        nullif(variable_price_tier1_eur_kwh, 0) as tier1_price,
        nullif(variable_price_tier2_eur_kwh, 0) as tier2_price,
        nullif(variable_price_tier3_eur_kwh, 0) as tier3_price,
        elec_fixed_fee_eur_month as fee,
        elec_fixed_cost_eur_month as fee_cost,
        nullif(gas_variable_price_eur_m3, 0) as gas_price,
        gas_fixed_revenue_eur_year as gas_revenue,
        gas_fixed_cost_eur_year as gas_cost
    from prices
    where customer_id is not null
),

-- A missing price is the customer's last known one, else the next. Customers without electricity
-- have none at all, and no energy to pay with it.
priced as (
    select
        months.*,
        known.tier1_price is null as is_price_missing,
        {filled}
    from months
    left join known using (customer_id, month)
)

select
    priced.*,
    attributes.province_code,
    elec_var_cost_eur_kwh,
    gas_var_cost_eur_m3,
    coalesce(tier1_kwh * tier1_price + tier2_kwh * tier2_price + tier3_kwh * tier3_price, 0)
    + fee - elec_kwh * (elec_var_cost_eur_kwh + peaje_elec_eur_kwh) - fee_cost as elec_margin,
    case
        when sum(gas_m3) over (partition by customer_id) > 0
            then gas_m3 * (gas_price - gas_var_cost_eur_m3) + (gas_revenue - gas_cost) / 12
        else 0
    end as gas_margin
from priced
inner join attributes using (customer_id)
inner join costs on costs.month = priced.month and costs.province = attributes.province_code;

create or replace temp table customer as
with

energy as (
    select
        customer_id,
        avg(elec_kwh) as elec_kwh,
        avg(gas_m3) as gas_m3,
        stddev_samp(elec_kwh) as elec_sd,
        avg(elec_margin) as elec_margin,
        avg(elec_margin + gas_margin) as margin,
        min(elec_margin + gas_margin) as worst_margin,
        max_by(tier1_price, month) / min_by(tier1_price, month) - 1 as price_trend,
        stddev_samp(tier1_price) as price_sd,
        max_by(tier1_price, month) - avg(elec_var_cost_eur_kwh) as spread,
        max_by(gas_price, month) / min_by(gas_price, month) - 1 as gas_price_trend,
        count(*) as month_count,
        count(*) filter (where elec_kwh > 0) as used_month_count,
        count(*) filter (where elec_kwh > 0 and is_price_missing) as missing_price_count,
        sum(reading_count) as reading_count,
        sum(negative_elec_count) as negative_elec_count,
        sum(negative_elec_kwh) as negative_elec_kwh,
        sum(negative_gas_count) as negative_gas_count,
        sum(negative_gas_m3) as negative_gas_m3,
        min(lowest_gas_m3) as lowest_gas_m3
    from customer_month
    group by customer_id
)

select
    *,
    case
        when is_industrial = 0 then 'Residential'
        when contracted_power_kw > 10 then 'Corporate'
        else 'SME'
    end as segment,
    replace(lower(trim(sales_channel)), ' ', '_') as channel,
    (next_renewal_date - as_of_date) / 30.44 as months_to_renewal,
    (as_of_date - customer_first_activation_date) / 30.44 as tenure_months,
    (as_of_date - last_product_change_date) / 30.44 as months_since_change,
    next_renewal_date - interaction_date::date as days_to_renewal,
    interaction_date is not null as has_interaction,
    as_of_date - interaction_date::date as interaction_age_days,
    gas_m3 > 0 as has_gas,
    gas_m3 > 0 and elec_kwh > 0 as is_dual
from labels
inner join attributes using (customer_id)
inner join contracts using (customer_id)
inner join energy using (customer_id)
left join newest using (customer_id)
cross join (select date '{as_of_date}' as as_of_date) as window_end;
