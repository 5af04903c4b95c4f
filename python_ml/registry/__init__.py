"""Registered model versions, the decisions on them, and the champion."""

from python_ml.registry.base import (
    APPROVED,
    PENDING,
    REJECTED,
    RegisteredModel,
    Registry,
    StoredRegistry,
    open_registry,
)

__all__ = [
    "APPROVED",
    "PENDING",
    "REJECTED",
    "RegisteredModel",
    "Registry",
    "StoredRegistry",
    "open_registry",
]
