select
    subject,
    verdict,
    distance
from mart_drift
where is_newest_run and subject_kind in ('numeric_feature', 'category_feature')
order by distance desc, subject
limit 10
