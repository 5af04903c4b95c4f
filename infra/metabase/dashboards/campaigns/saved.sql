select coalesce(sum(margin_saved_eur), 0) as margin_saved_eur
from mart_campaign_effect
where arm = 'all' and risk_tier = 'all' and is_newest and is_final and verdict <> 'broken'
