-- Nobody takes part in a campaign before the cool-down of an earlier one is over.
select
    earlier.customer_id,
    earlier.campaign as earlier_campaign,
    later.campaign as later_campaign
from {{ ref('bronze_campaign_assignment') }} as earlier
inner join {{ ref('bronze_campaign_assignment') }} as later
    on
        earlier.customer_id = later.customer_id
        and earlier.campaign <> later.campaign
        and earlier.as_of_date <= later.as_of_date
where
    later.as_of_date < earlier.free_date
    and (earlier.as_of_date < later.as_of_date or earlier.campaign < later.campaign)
