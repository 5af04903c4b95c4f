select
    test_as_of_date,
    max(case when metric = 'pr_auc' then metric_value end) as pr_auc,
    max(case when metric = 'pr_auc' then ci_low end) as ci_low,
    max(case when metric = 'pr_auc' then ci_high end) as ci_high,
    max(case when metric = 'pr_auc_without_text' then metric_value end) as pr_auc_without_text
from mart_backtest
where slice = 'overall'
group by test_as_of_date
order by test_as_of_date
