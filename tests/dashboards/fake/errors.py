"""What the fake server answers when it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An answer other than 2xx."""

    def __init__(self, status: int, message: str | Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
