select
    verdict,
    finding,
    case
        when verdict in ('too low', 'too high') and is_current_model then 'Train a new model: spanishgas run'
        when verdict in ('too low', 'too high') then 'None: another model has replaced this one'
        when verdict = 'as expected' then 'None'
        else 'None: the comparison follows when labels have matured'
    end as next_step
from mart_score_outcome
where dimension = 'all customers'
order by is_newest desc, as_of_date desc
limit 1
