select distinct province_code
from mart_customer_risk
where province_code is not null
order by province_code
