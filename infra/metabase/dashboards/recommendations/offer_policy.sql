select
    risk_tier,
    minimum_probability,
    offer_name as offer,
    monthly_margin_share,
    timing,
    save_probability,
    case when is_measured then 'measured' else 'assumption' end as source
from mart_offer_rate
where is_offer_of_tier
order by tier_rank desc
