select distinct
    feature,
    feature_rank
from mart_drift_distribution
order by feature_rank
