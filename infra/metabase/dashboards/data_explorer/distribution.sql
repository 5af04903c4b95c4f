select
    bin_label,
    sum(customer_count) as customer_count,
    sum(customer_count * mean_churn_probability) / sum(customer_count) as mean_churn_probability
from mart_feature_distribution
where feature = {{feature}}
group by bin_label
order by min(bin_number)
