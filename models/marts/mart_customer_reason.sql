with

score_reasons as (
    select
        *,
        try_cast(feature_value as double) as feature_number
    from {{ source('ml', 'score_reason') }}
    where run_id = {{ shown_run_id() }}
),

strongest as (
    select
        customer_id,
        as_of_date,
        max(contribution_log_odds) as contribution_log_odds
    from score_reasons
    group by customer_id, as_of_date
),

reason_codes as (
    select
        *,
        row_number() over (
            order by feature, direction, minimum_value, maximum_value, text_value, reason_code
        ) as code_number
    from {{ ref('reason_codes') }}
),

codes_of_values as (
    select * from reason_codes
    where direction <> 'any'
),

codes_of_features as (
    select * from reason_codes
    where direction = 'any'
),

-- Only what moves the score is told: a tenth of the strongest at least. A row of the seed that speaks of the
-- customer's value goes before the one for any value. Sentences join at the end, so that little is ranked.
matched as (
    select
        score_reasons.customer_id,
        score_reasons.as_of_date,
        score_reasons.reason_rank,
        score_reasons.feature,
        score_reasons.feature_value,
        score_reasons.feature_number,
        score_reasons.contribution_log_odds,
        coalesce(codes_of_values.code_number, codes_of_features.code_number) as code_number,
        coalesce(codes_of_values.reason_code, codes_of_features.reason_code) as reason_code,
        coalesce(codes_of_values.is_actionable, codes_of_features.is_actionable) as is_actionable
    from score_reasons
    inner join strongest
        on
            score_reasons.customer_id = strongest.customer_id
            and score_reasons.as_of_date = strongest.as_of_date
            and score_reasons.contribution_log_odds >= 0.1 * strongest.contribution_log_odds
    left join codes_of_values
        on
            score_reasons.feature = codes_of_values.feature
            and (
                score_reasons.feature_value = codes_of_values.text_value
                or (
                    codes_of_values.direction in ('low', 'high')
                    and score_reasons.feature_number
                    >= coalesce(codes_of_values.minimum_value, score_reasons.feature_number)
                    and (
                        codes_of_values.maximum_value is null
                        or score_reasons.feature_number < codes_of_values.maximum_value
                    )
                )
            )
    left join codes_of_features
        on score_reasons.feature = codes_of_features.feature
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
    where code_number is not null
),

-- What one can act on goes first.
numbered as (
    select
        *,
        row_number() over (
            partition by customer_id, as_of_date
            order by case when is_actionable then 0 else 1 end, reason_rank
        ) as told_rank
    from ranked
    where repeat_rank = 1
),

told as (
    select
        numbered.*,
        reason_codes.sentence,
        reason_codes.value_decimals,
        numbered.feature_number * reason_codes.value_multiplier as told_number
    from numbered
    inner join reason_codes
        on numbered.code_number = reason_codes.code_number
    where numbered.told_rank <= 3
),

final as (
    select
        customer_id,
        as_of_date,
        cast({{ shown_run_id() }} as varchar) as run_id,
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
    from told
)

select * from final
