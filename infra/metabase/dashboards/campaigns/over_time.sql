select
    campaign,
    look_date,
    horizon_share,
    save_share,
    save_share_low,
    save_share_high
from mart_campaign_effect
where arm = 'all' and risk_tier = 'all' and horizon_share > 0
order by as_of_date desc, campaign, look_date desc
limit 200
