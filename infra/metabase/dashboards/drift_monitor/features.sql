select
    importance_rank,
    subject,
    tier,
    verdict,
    distance,
    expected_distance,
    psi,
    p_value_adjusted,
    case when is_alarm_plain then 'yes' else 'no' end as plain_rule,
    importance_share,
    reference_mean,
    current_mean,
    note
from mart_drift
where is_newest_run and subject_kind in ('numeric_feature', 'category_feature')
order by importance_rank, subject
