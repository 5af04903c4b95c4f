-- A view on what runs wrote of themselves: the costs of a run are known once it has ended.
{{ config(materialized='view') }}

with

costs as (
    select * from {{ source('ml', 'query_cost') }}
),

final as (
    select
        costs.run_id,
        costs.node,
        ---------- attributes
        costs.node_kind,
        ---------- measures
        costs.scanned_bytes,
        costs.billed_bytes,
        costs.price_usd,
        ---------- counts
        costs.query_count
    from costs
)

select * from final
