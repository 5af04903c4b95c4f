select
    subject,
    verdict,
    max(distance) as distance
from mart_drift
where
    is_newest_run
    and verdict <> 'not measured'
    and subject_kind in ('numeric_feature', 'category_feature')
group by subject, verdict
order by distance desc, subject
limit 10
