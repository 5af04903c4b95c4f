select
    subject,
    verdict,
    distance,
    importance_share,
    reference_mean,
    current_mean,
    next_step
from mart_drift
where is_newest_run and verdict in ('alarm', 'watch')
order by case verdict when 'alarm' then 1 else 2 end, importance_rank, subject
limit 500
