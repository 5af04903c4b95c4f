"""Who has been forgotten is known again, and nobody is named."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from python_ml.engines.store import FolderStore
from python_ml.errors import SpanishGasError
from python_ml.privacy.tombstones import FILE, Tombstones, read_tombstones


@pytest.fixture
def stones(tmp_path: Path) -> Tombstones:
    return Tombstones(FolderStore(tmp_path), "salt")


def test_a_person_is_noted_once_by_a_salted_hash(stones: Tombstones, tmp_path: Path) -> None:
    stones.add("C00002", "2025-01-06T12:00:00+00:00", "ana")
    stones.add("C00002", "2025-01-07T12:00:00+00:00", "maria")
    stones.note_change("a", "b")
    digest = hashlib.sha256(b"salt C00002").hexdigest()
    assert FILE == "forgotten.json", "older homes have it under this name"
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert "C00002" not in text and text.endswith("}\n")
    assert json.loads(text) == {
        "salt": "salt",
        "forgotten": [
            {"sha256": digest, "forgotten_at": "2025-01-06T12:00:00+00:00", "by": "ana"},
        ],
        "changed": {"a": "b"},
    }
    again = read_tombstones(FolderStore(tmp_path))
    assert (again.salt, again.entries, again.changed) == ("salt", stones.entries, {"a": "b"})


def test_the_forgotten_among_some_customers(stones: Tombstones) -> None:
    assert stones.among(["C00001", "C00002"]) == set()
    stones.add("C00002", "2025-01-06T12:00:00+00:00", "ana")
    assert stones.among(["C00001", "C00002"]) == {"C00002"}


def test_a_hash_leads_to_what_its_content_is_now(stones: Tombstones, tmp_path: Path) -> None:
    stones.note_change("a", "a")
    assert not (tmp_path / FILE).exists(), "nothing has changed"
    stones.note_change("a", "b")
    stones.note_change("x", "y")
    stones.note_change("b", "c")
    assert [stones.now(each) for each in "abcxyz"] == ["c", "c", "c", "y", "y", "z"]


def test_before_the_first_there_is_a_new_salt(tmp_path: Path) -> None:
    first, second = (read_tombstones(FolderStore(tmp_path)) for _ in range(2))
    assert len(first.salt) == 32 and first.salt != second.salt
    assert first.entries == [] and first.changed == {} and not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"salt": "s"}', "7"])
def test_a_list_that_cannot_be_read_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(SpanishGasError, match=r"forgotten\.json cannot be read"):
        read_tombstones(FolderStore(tmp_path))
