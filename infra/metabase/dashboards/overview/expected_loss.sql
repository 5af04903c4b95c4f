select
    as_of_date,
    expected_monthly_loss_eur,
    previous_expected_monthly_loss_eur
from mart_run_trend
where is_current
