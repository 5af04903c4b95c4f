-- begins with ../shared/chosen_customer.sql

select
    profiles.customer_id,
    profiles.segment,
    replace(profiles.portfolio_type, '_', ' ') as portfolio_type,
    profiles.sales_channel,
    profiles.province,
    profiles.region,
    profiles.tenure_months,
    profiles.months_to_renewal,
    risks.avg_monthly_elec_kwh,
    risks.avg_monthly_gas_m3,
    risks.avg_monthly_margin_eur,
    profiles.contracted_power_kw
from mart_customer_profile as profiles
inner join mart_customer_risk as risks
    on profiles.customer_id = risks.customer_id
where profiles.customer_id = (select chosen.customer_id from chosen)
