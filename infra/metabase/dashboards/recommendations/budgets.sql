select distinct budget_eur
from mart_offer_budget
order by budget_eur
