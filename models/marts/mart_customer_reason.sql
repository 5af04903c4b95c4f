with

score_reasons as (
    select
        *,
        try_cast(feature_value as double) as feature_number,
        max(contribution_log_odds) over (partition by customer_id, as_of_date) as strongest_log_odds
    from {{ source('ml', 'score_reason') }}
    where run_id = {{ shown_run_id() }}
),

reason_codes as (
    select * from {{ ref('reason_codes') }}
),

-- A row of the seed that speaks of the customer's value goes before the one for any value.
matched as (
    select
        score_reasons.*,
        reason_codes.reason_code,
        reason_codes.sentence,
        reason_codes.is_actionable,
        reason_codes.value_decimals,
        score_reasons.feature_number * reason_codes.value_multiplier as told_number,
        row_number() over (
            partition by score_reasons.customer_id, score_reasons.as_of_date, score_reasons.reason_rank
            order by case when reason_codes.direction = 'any' then 1 else 0 end
        ) as match_rank
    from score_reasons
    inner join reason_codes
        on score_reasons.feature = reason_codes.feature
    where
        reason_codes.direction = 'any'
        or reason_codes.text_value = score_reasons.feature_value
        or (
            reason_codes.direction in ('low', 'high')
            and score_reasons.feature_number >= coalesce(reason_codes.minimum_value, score_reasons.feature_number)
            and (reason_codes.maximum_value is null or score_reasons.feature_number < reason_codes.maximum_value)
        )
),

-- Several features can stand for one reason; it is told once, by the strongest of them.
ranked as (
    select
        *,
        row_number() over (
            partition by customer_id, as_of_date, reason_code
            order by reason_rank
        ) as repeat_rank
    from matched
    where match_rank = 1
),

-- What one can act on goes first, but only what moves the score: a tenth of the strongest at least.
numbered as (
    select
        *,
        row_number() over (
            partition by customer_id, as_of_date
            order by case when is_actionable then 0 else 1 end, reason_rank
        ) as told_rank
    from ranked
    where repeat_rank = 1 and contribution_log_odds >= 0.1 * strongest_log_odds
),

final as (
    select
        customer_id,
        as_of_date,
        run_id,
        cast(told_rank as integer) as reason_rank,
        ---------- reason
        reason_code,
        replace(
            sentence,
            '{value}',
            case
                when told_number is null then coalesce(feature_value, '')
                when value_decimals = 0 then cast(cast(told_number as decimal(18, 0)) as varchar)
                else cast(cast(told_number as decimal(18, 1)) as varchar)
            end
        ) as sentence,
        is_actionable,
        ---------- what it rests on
        feature,
        feature_value,
        contribution_log_odds
    from numbered
    where told_rank <= 3
)

select * from final
