"""What a model is known by, worked out without the libraries that run it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def model_digest(definition: Mapping[str, Any], booster: bytes) -> str:
    """SHA-256 of everything that decides a score.

    Args:
        definition: as `ChurnModel.definition` has it.
        booster: the trees, as `ChurnModel.booster_bytes` has them.
    """
    text = json.dumps(definition, sort_keys=True).encode()
    return hashlib.sha256(text + b"\n" + booster).hexdigest()
