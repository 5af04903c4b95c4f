-- Nobody who is held out is offered or contacted, and whoever could have been held out carries the chance.
select
    customer_id,
    decision,
    is_holdout,
    holdout_propensity
from {{ ref('mart_recommendation') }}
where
    is_holdout and (offer <> 'no_offer' or discount_eur_month <> 0 or timing <> 'no contact')
    or is_holdout <> (decision = 'held_out')
    or (decision in ('offered', 'held_out')) <> (holdout_propensity is not null)
