select customer_count
from mart_observed_churn
where is_newest and dimension = 'all customers'
