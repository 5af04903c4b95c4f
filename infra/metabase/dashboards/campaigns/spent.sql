select coalesce(sum(cost_eur), 0) as cost_eur
from mart_campaign
