-- begins with ../shared/chosen_customer.sql

select
    decision_name as decision,
    timing,
    discount_eur_month,
    case when avg_monthly_margin_eur > 0 then discount_eur_month / avg_monthly_margin_eur end as offer_margin_share,
    offer_budget_eur + contact_cost_eur as offer_cost_eur,
    case
        when offer_budget_eur + contact_cost_eur > 0
            then expected_net_value_eur / (offer_budget_eur + contact_cost_eur)
    end as return_on_offer
from mart_recommendation
where customer_id = (select chosen.customer_id from chosen)
