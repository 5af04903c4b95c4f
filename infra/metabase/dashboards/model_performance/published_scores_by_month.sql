select
    as_of_date,
    max(observed_share) as observed_share,
    max(estimated_share) as estimated_share,
    max(estimated_share_low) as estimated_share_low,
    max(estimated_share_high) as estimated_share_high
from mart_score_outcome
where dimension = 'all customers'
group by as_of_date
order by as_of_date
