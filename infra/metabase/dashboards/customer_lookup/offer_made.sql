-- begins with ../shared/chosen_customer.sql

select
    case
        when current_campaign is null then replace(offer, '_', ' ')
        when current_arm = 'control' then 'control group of ' || current_campaign
        else replace(current_arm, '_', ' ') || ', ' || current_campaign
    end as offer
from mart_recommendation
where customer_id = (select chosen.customer_id from chosen)
