select
    distance,
    verdict,
    importance_share,
    subject
from mart_drift
where
    is_newest_run
    and verdict <> 'not measured'
    and subject_kind in ('numeric_feature', 'category_feature')
order by distance, subject
