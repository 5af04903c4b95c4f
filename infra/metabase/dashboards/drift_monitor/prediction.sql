select verdict
from mart_drift
where is_newest_run and subject_kind = 'prediction'
