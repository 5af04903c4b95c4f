"""One finding of the doctor, and those that are asked for on every target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from python_ml.settings import Settings

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Check:
    """One finding. `fail` keeps a run from succeeding, `warn` does not."""

    name: str
    status: str
    detail: str
    remedy: str = ""


def attempt(name: str, remedy: str, probe: Callable[[], Check]) -> Check:
    """The finding of a probe; what it raises is a failure."""
    try:
        return probe()
    except Exception as error:  # whatever is broken is what we are here to tell
        return Check(name, FAIL, f"{error}", remedy)


def champion(settings: Settings) -> Check:
    """The champion is there and is what was registered."""
    remedy = "spanishgas promote <version>, or run in mode train"
    return attempt("champion", remedy, lambda: _champion(settings))


def _champion(settings: Settings) -> Check:
    from python_ml.registry import open_registry

    registry = open_registry(settings)
    if (version := registry.champion()) is None:
        return Check("champion", WARN, "there is none yet", "spanishgas run --mode train")
    return Check("champion", OK, f"{version}, sha256 {registry.verify(version)[:12]}…")
