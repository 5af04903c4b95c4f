select coalesce(sum(treated_count), 0) as customer_count
from mart_campaign
