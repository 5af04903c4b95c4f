-- What has changed since the model was trained?
select
    subject_kind,
    subject,
    verdict,
    statistic_name,
    distance,
    psi,
    importance_share,
    note
from {{ ref('mart_drift') }}
where is_newest_run and verdict <> 'stable'
order by importance_share desc, subject asc
