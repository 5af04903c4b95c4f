select
    save_probability,
    policy_name as policy,
    max(expected_net_value_eur) as expected_net_value_eur
from mart_offer_budget
where
    save_probability is not null
    and budget_eur = coalesce(
        [[{{budget}},]]
        null,
        (
            select max(largest.budget_eur)
            from mart_offer_budget as largest
        )
    )
group by save_probability, policy_name
order by policy, save_probability
