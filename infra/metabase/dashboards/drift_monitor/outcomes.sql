select
    replace(subject, '_', ' ') as subject,
    verdict,
    distance,
    psi,
    reference_mean,
    current_mean,
    note
from mart_drift
where is_newest_run and subject_kind in ('prediction', 'label')
order by subject_kind desc
