select
    area,
    verdict,
    detail
from mart_health
order by area_number
