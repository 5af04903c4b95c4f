select
    case
        when count(case when verdict <> 'not measured' then 1 end) > 0
            then coalesce(sum(case when is_alarm then importance_share end), 0)
    end as importance_share
from mart_drift
where is_newest_run and subject_kind in ('numeric_feature', 'category_feature')
