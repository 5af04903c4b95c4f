"""The dbt exposures of the dashboards, written from their definitions.

    python -m python_ml.pages.exposures

writes the file anew; a test holds it to the definitions.
"""

from __future__ import annotations

import yaml

from python_ml.pages.compile import load_dashboards
from python_ml.pages.model import Dashboard
from python_ml.settings import PROJECT_DIR

EXPOSURES_FILE = PROJECT_DIR / "models" / "marts" / "_dashboards__exposures.yml"
HEADER = "# Written by `python -m python_ml.pages.exposures`; edit infra/metabase/dashboards.\n"
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
