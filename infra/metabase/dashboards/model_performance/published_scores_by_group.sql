select
    group_name,
    customer_count,
    expected_count,
    observed_count,
    ratio,
    ratio_low,
    ratio_high,
    calibration_slope,
    estimated_pr_auc,
    pr_auc,
    verdict
from mart_score_outcome
where is_newest
order by dimension, expected_count desc
