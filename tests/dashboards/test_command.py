"""The command itself, in processes of its own, against the fake over HTTP and a real Postgres."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.dashboards.fake import FakeMetabase, running
from tests.dashboards.fake.contract import Contract

COMMAND = [sys.executable, "-m", "python_ml.cli", "dashboards"]


@dataclass(frozen=True)
class Console:
    """Calls the command; it must end with the code given."""

    url: str

    def __call__(self, *words: str, code: int = 0) -> CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *words, "--url", self.url], capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture
def console(
    fake: FakeMetabase, contract: Contract, environment: dict[str, str]
) -> Iterator[Console]:
    with running(fake, contract) as url:
        yield Console(url)


def test_from_a_blank_server_to_nothing_left_to_do(
    console: Console, fake: FakeMetabase, tmp_path: Path
) -> None:
    """plan, kill apply half way, apply, apply again, check, and by the key of api-key."""
    planned = json.loads(console("plan", "--no-descriptions", "--json").stdout)
    kinds = [change["kind"] for change in planned["changes"]]
    assert kinds[0] == "server" and kinds.count("dashboard") >= 2 and fake.writes == []

    process = subprocess.Popen(
        [*COMMAND, "apply", "--no-descriptions", "--url", console.url], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while len(fake.writes) < 9 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    survived = len(fake.writes)
    assert 0 < survived < len(kinds)

    applied = json.loads(console("apply", "--no-descriptions", "--json").stdout)
    assert applied["cards_run"] == kinds.count("card") == len(fake.cards)
    assert len(fake.dashboards) == kinds.count("dashboard")
    again = json.loads(console("apply", "--no-descriptions", "--json").stdout)
    assert (again["write_count"], again["changes"]) == (0, [])

    key_file = tmp_path / "key"
    console("api-key", str(key_file))
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert "as defined and every card runs" in console("check").stdout
    os.environ["SPANISHGAS_METABASE_API_KEY"] = key_file.read_text().strip()
    try:
        assert "0 to change" in console("plan", "--no-descriptions").stdout
    finally:
        del os.environ["SPANISHGAS_METABASE_API_KEY"]
    assert fake.refused == []


def test_check_fails_with_its_own_code_when_somebody_changed_a_page(
    console: Console, fake: FakeMetabase
) -> None:
    console("apply", "--no-descriptions")
    card = next(iter(fake.cards.values()))
    card["name"] = "By hand"
    said = console("check", code=5).stderr
    assert "update card" in said and "spanishgas dashboards plan" in said
    console("apply", "--no-descriptions")


def test_a_wrong_password_says_so(
    console: Console, fake: FakeMetabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    console("apply", "--no-descriptions")
    monkeypatch.setenv("SPANISHGAS_METABASE_PASSWORD", "not this one")
    said = console("plan", "--no-descriptions", code=1).stderr
    assert "401" in said and "SPANISHGAS_METABASE_API_KEY" in said
    fake.refused.clear()


def test_publish_marts_prints_what_it_loaded(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*COMMAND, "publish-marts", "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["rows"]["mart_customer_risk"] == 60
