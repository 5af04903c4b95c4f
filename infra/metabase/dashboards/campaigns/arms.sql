select
    campaign,
    replace(arm, '_', ' ') as arm,
    treated_count,
    save_share,
    save_share_low,
    save_share_high,
    net_value_eur
from mart_campaign_effect
where arm <> 'all' and risk_tier = 'all' and is_newest
order by as_of_date desc, campaign, arm
limit 200
