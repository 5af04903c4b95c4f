select
    experiment,
    test_pr_auc,
    published_pr_auc
from mart_model_ladder
where model_kind = 'xgboost'
order by experiment
