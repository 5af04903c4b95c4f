"""Start a local Athena by hand and print the environment that leads to it."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from tests.athena.local.server import LocalAthena


def main() -> None:
    """Run until interrupted."""
    with tempfile.TemporaryDirectory() as work, LocalAthena(Path(work)) as athena:
        for name, value in athena.environment.items():
            print(f"export {name}={value}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
