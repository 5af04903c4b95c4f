select count(case when state = 'running' then 1 end) as campaign_count
from mart_campaign
