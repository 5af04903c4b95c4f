select
    effects.campaign,
    coalesce(names.offer_name, replace(effects.arm, '_', ' ')) as arm,
    effects.treated_count,
    effects.save_share,
    effects.save_share_low,
    effects.save_share_high,
    effects.net_value_eur
from mart_campaign_effect as effects
left join (
    select
        offer,
        max(offer_name) as offer_name
    from mart_offer_rate
    group by offer
) as names
    on effects.arm = names.offer
where effects.arm <> 'all' and effects.risk_tier = 'all' and effects.is_newest
order by effects.as_of_date desc, effects.campaign, effects.arm
limit 200
