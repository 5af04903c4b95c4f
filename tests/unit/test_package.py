"""What importing the package does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

ASK = """
import python_ml
import json, numpy, scipy.linalg, threadpoolctl
print(json.dumps([it["num_threads"] for it in threadpoolctl.threadpool_info()]))
"""


@pytest.mark.parametrize(("given", "threads"), [(None, 1), ("2", 2)])
def test_linear_algebra_has_one_thread_unless_more_are_asked_for(
    given: str | None, threads: int
) -> None:
    environ = {name: text for name, text in os.environ.items() if "_NUM_THREADS" not in name}
    environ |= {"OPENBLAS_NUM_THREADS": given} if given else {}
    answer = subprocess.run(
        [sys.executable, "-c", ASK], env=environ, capture_output=True, text=True, check=True
    )
    found = json.loads(answer.stdout)
    assert found and set(found) == {threads}
