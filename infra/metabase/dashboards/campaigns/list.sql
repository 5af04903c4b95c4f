select
    campaigns.campaign,
    campaigns.state,
    campaigns.as_of_date,
    campaigns.treated_count,
    campaigns.control_count,
    campaigns.reached_count,
    campaigns.called_control_count,
    campaigns.cost_eur,
    effects.margin_saved_eur,
    coalesce(effects.verdict, 'too early') as verdict,
    coalesce(effects.reason, 'no effect has been measured yet') as reason
from mart_campaign as campaigns
left join mart_campaign_effect as effects
    on
        campaigns.campaign = effects.campaign
        and effects.arm = 'all'
        and effects.risk_tier = 'all'
        and effects.is_newest
order by campaigns.as_of_date desc, campaigns.campaign
limit 200
