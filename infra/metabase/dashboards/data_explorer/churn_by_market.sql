select
    case dimension when 'competition' then group_name || ' competition' else group_name end as group_name,
    max(churn_share) as churn_share
from mart_observed_churn
where is_newest and dimension in ('competition', 'fuel')
group by case dimension when 'competition' then group_name || ' competition' else group_name end
order by min(dimension), min(group_number)
