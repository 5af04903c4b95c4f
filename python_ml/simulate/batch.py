"""The raw folder of a data home: simulate into it, or keep what is there when it is the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from python_ml.config import Settings
from python_ml.errors import UsageError
from python_ml.progress import Reporter, silent
from python_ml.simulate.run import SimulationResult, simulate

MARKER = "_simulation.json"


def simulate_batch(
    settings: Settings, out: Path, *, reuse: bool = False, progress: Reporter = silent
) -> tuple[SimulationResult, bool]:
    """Write a batch by `settings.simulate`; returns what it is and whether it was there already.

    A marker file beside the seven says what they were made from.

    Args:
        out: folder to write to.
        reuse: keep the files that are there if the same settings and the same simulator made them.

    Raises:
        UsageError: the folder holds files that no simulation wrote; they stay.
    """
    marker = out / MARKER
    made_from = {**settings.simulate.as_dict(), "simulator_sha256": _simulator_hash()}
    found = json.loads(marker.read_text(encoding="utf-8")) if marker.exists() else None
    if reuse and found and found["made_from"] == made_from:
        return SimulationResult(**{**found["result"], "folder": out}), True
    if not found and out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} holds files that no simulation wrote; name another --out")
    marker.unlink(missing_ok=True)
    result = simulate(
        out, **settings.simulate.as_dict(), threads=settings.threads, progress=progress
    )
    document: dict[str, Any] = {"made_from": made_from, "result": result.as_dict()}
    marker.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return result, False


def _simulator_hash() -> str:
    """Hash of the simulator's code and reference tables: another simulator, other files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
