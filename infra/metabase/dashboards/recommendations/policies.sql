select
    policy_name as policy,
    basis,
    max(profit_eur) as profit_eur
from mart_policy_value
where feature_set = 'champion'
group by policy_name, basis
order by case policy_name when 'By risk tier' then 3 when 'By expected value' then 4 else 1 end, policy_name desc, basis
