select
    rates.offer_name as offer,
    rates.risk_tier,
    rates.save_probability as save_share,
    rates.save_probability_low as save_share_low,
    rates.save_probability_high as save_share_high,
    rates.campaign_count,
    case when rates.is_measured then 'measured' else 'assumption' end as source
from mart_offer_rate as rates
order by rates.monthly_margin_share, rates.offer, rates.minimum_probability desc
limit 100
