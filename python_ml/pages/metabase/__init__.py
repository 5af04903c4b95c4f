"""The dashboards on a Metabase server: what is there, what is wanted, and the plan between."""
