select max(feature) as feature
from mart_drift_distribution
where
    feature = coalesce(
        [[{{feature}},]]
        null,
        (
            select min(top.feature)
            from mart_drift_distribution as top
            where top.feature_rank = 1
        )
    )
