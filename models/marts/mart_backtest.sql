with

results as (
    select
        *,
        -- Run ids sort by time, and a backtest is run now and then: the newest is shown.
        max(run_id) over () as newest_run_id
    from {{ source('ml', 'backtest_result') }}
),

final as (
    select
        run_id as backtest_run_id,
        train_as_of_date,
        test_as_of_date,
        slice,
        metric,
        ---------- figure
        metric_value,
        ci_low,
        ci_high,
        ---------- counts
        customer_count,
        churner_count,
        ---------- flags
        test_as_of_date = max(test_as_of_date) over (partition by run_id) as is_newest_test
    from results
    where run_id = newest_run_id
)

select * from final
