"""Campaigns: plan arms and their chances, draw them once, measure the effect, learn from it.

Everything here works on frames; reading, writing and publishing is done by pipeline/campaigns.py.
"""

CONTROL, CONTACT_ONLY = "control", "contact_only"
ALL = "all"  # every arm or every risk tier together
