-- begins with ../shared/chosen_customer.sql

select
    case
        when current_campaign is null then offer_name
        when current_arm = 'control' then 'control group of ' || current_campaign
        else current_arm_name || ', ' || current_campaign
    end as offer
from mart_recommendation
where customer_id = (select chosen.customer_id from chosen)
