select
    save_rate,
    policy_name as policy,
    offer_count,
    spent_eur,
    expected_saved_margin_eur,
    expected_net_value_eur,
    expected_net_value_eur / nullif(spent_eur, 0) as net_value_per_eur
from mart_offer_budget
where
    save_rate in ('as planned', {{save_rate}})
    and budget_eur = coalesce(
        [[{{budget}},]]
        null,
        (
            select max(largest.budget_eur)
            from mart_offer_budget as largest
        )
    )
order by case when save_rate = 'as planned' then 2 else 1 end, policy desc
