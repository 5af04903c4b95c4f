"""Which runs there were, who holds the warehouse, and what has been done to which batch."""

from __future__ import annotations

from python_ml.config import Settings
from python_ml.runs.manifest import RunManifest

__all__ = ["RunManifest", "open_manifest"]


def open_manifest(settings: Settings) -> RunManifest:
    """The manifest of `settings.target`: a file in the home, or a DynamoDB table."""
    if settings.target == "athena":
        from python_ml.runs.dynamodb import DynamoManifest

        athena = settings.athena
        return DynamoManifest(athena.runs_table, athena.schema, athena.region)
    from python_ml.runs.local import LocalManifest

    return LocalManifest(settings.layout.home)
