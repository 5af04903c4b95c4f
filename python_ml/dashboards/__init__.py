"""Dashboards as code: definitions, their compiler, and what shows them."""
