select
    action_name as action,
    max(case when decision = 'offered' then 1 else 0 end) as is_offer
from mart_recommendation
group by action_name
order by max(case when decision = 'offered' then 1 else 0 end) desc, action_name
