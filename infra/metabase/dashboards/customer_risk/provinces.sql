select distinct province
from mart_customer_risk
order by province
