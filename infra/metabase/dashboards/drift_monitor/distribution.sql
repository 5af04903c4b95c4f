select
    bin_label,
    max(reference_share) as reference_share,
    max(current_share) as current_share
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
group by bin_label
order by min(bin_number)
