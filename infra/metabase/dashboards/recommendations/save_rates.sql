select
    save_rate,
    min(coalesce(mart_offer_budget.save_probability, 0)) as save_probability
from mart_offer_budget
group by save_rate
order by min(coalesce(mart_offer_budget.save_probability, 0))
