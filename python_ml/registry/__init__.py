"""Registered model versions, the decisions on them, and the champion."""

from __future__ import annotations

from python_ml.engines import open_engine, open_store
from python_ml.registry.base import (
    APPROVED,
    PENDING,
    REJECTED,
    RegisteredModel,
    Registry,
    StoredRegistry,
)
from python_ml.settings import Settings

__all__ = [
    "APPROVED",
    "PENDING",
    "REJECTED",
    "RegisteredModel",
    "Registry",
    "StoredRegistry",
    "open_registry",
]


def open_registry(settings: Settings) -> Registry:
    """The registry of `settings.target`; on AWS, SageMaker knows each version too."""
    if open_engine(settings).model_package_group:
        # Only there is its client needed, which takes a while to import.
        from python_ml.registry.sagemaker import SageMakerRegistry

        return SageMakerRegistry(open_store(settings), settings.threads, settings.athena)
    return StoredRegistry(open_store(settings), settings.threads)
