"""The dbt exposures of the dashboards, written from their definitions.

    python -m python_ml.dashboards.exposures

writes the file anew; a test holds it to the definitions.
"""

from __future__ import annotations

import yaml

from python_ml.config import PROJECT_DIR
from python_ml.dashboards.compile import load_dashboards
from python_ml.dashboards.model import Dashboard

EXPOSURES_FILE = PROJECT_DIR / "models" / "marts" / "_dashboards__exposures.yml"
HEADER = (
    "# Written by `python -m python_ml.dashboards.exposures`; edit infra/metabase/dashboards.\n"
)
OWNER = {"name": "Retention", "email": "retention@spanishgas.example"}


def exposures_yaml(dashboards: tuple[Dashboard, ...]) -> str:
    """The text of the file."""
    exposures = [
        {
            "name": f"dashboard_{page.key}",
            "label": page.name,
            "type": "dashboard",
            "maturity": "high",
            "description": page.description,
            "depends_on": [f"ref('{table}')" for table in page.tables],
            "owner": dict(OWNER),
        }
        for page in dashboards
    ]
    document = {"version": 2, "exposures": exposures}
    return HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


if __name__ == "__main__":
    EXPOSURES_FILE.write_text(exposures_yaml(load_dashboards()), encoding="utf-8")
