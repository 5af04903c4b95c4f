select
    run_number,
    max(expected_monthly_loss_eur) as expected_monthly_loss_eur
from mart_run_trend
group by run_number
order by run_number
