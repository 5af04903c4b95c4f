"""What people look at: dashboards from their definitions to static pages, and model cards."""
