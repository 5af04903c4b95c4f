with

risks as (
    select * from {{ ref('mart_customer_risk') }}
),

offer_policy as (
    select * from {{ ref('offer_policy') }}
),

risk_tiers as (
    select * from {{ ref('risk_tiers') }}
),

rates as (
    select * from {{ ref('mart_offer_rate') }}
),

economics as (
    {{ offer_economics() }}
),

assignments as (
    select * from {{ ref('bronze_campaign_assignment') }}
),

{{ offer_candidates() }}

select * from candidates
