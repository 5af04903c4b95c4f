"""The process of the quality gates, forked from one that has imported Great Expectations.

Importing the library takes a fifth of the processor time of a small run. All else is as in
`python_ml.quality.process`: a process of its own, which ends with its connection or by a signal.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import cast

from python_ml.quality.process import serve

_FIRST, _LAST = 3, 1 << 16  # descriptors beside the standard ones


class _Forked:
    """As much of `subprocess.Popen` as is asked for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._has_ended = False

    def terminate(self) -> None:
        if not self._has_ended:
            os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> None:
        if not self._has_ended:
            os.waitpid(self.pid, 0)
            self._has_ended = True


def fork_quality_process(descriptor: int) -> subprocess.Popen[bytes]:
    """In the place of a new interpreter, which would import everything again."""
    pid = os.fork()
    if pid:
        return cast(subprocess.Popen[bytes], _Forked(pid))
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        # The other end as well, or this process would wait for a run that has been killed.
        os.closerange(_FIRST, descriptor)
        os.closerange(descriptor + 1, _LAST)
        serve(descriptor)
    finally:
        os._exit(0)
