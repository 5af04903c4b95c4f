select
    run_number,
    as_of_date,
    expected_monthly_loss_eur
from mart_run_trend
order by run_number
