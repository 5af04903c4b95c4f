select
    case policy
        when 'contact_nobody' then 'contact nobody'
        when 'contact_everybody' then 'contact everybody'
        when 'fixed_tiers' then 'by risk tier'
        when 'expected_value' then 'by expected value'
        else policy
    end as policy,
    basis,
    max(profit_eur) as profit_eur
from mart_policy_value
where feature_set = 'champion'
group by
    case policy
        when 'contact_nobody' then 'contact nobody'
        when 'contact_everybody' then 'contact everybody'
        when 'fixed_tiers' then 'by risk tier'
        when 'expected_value' then 'by expected value'
        else policy
    end,
    basis
order by
    min(case mart_policy_value.policy when 'contact_nobody' then 1 when 'contact_everybody' then 2 when 'fixed_tiers' then 3 else 4 end),
    basis
