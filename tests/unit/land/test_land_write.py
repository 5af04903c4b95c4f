"""The link to the newest batch, and what must not be taken for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from python_ml.errors import UsageError
from python_ml.land import write


def lake_with(batch: str, folder: Path) -> Path:
    (folder / "batches" / batch).mkdir(parents=True)
    return folder


def test_the_link_shows_the_newest_batch(tmp_path: Path) -> None:
    lake = lake_with("one", lake_with("two", tmp_path))
    assert write.current_id(lake) is None
    for batch in ("one", "two"):
        write.make_current(lake, batch)
        assert write.current_id(lake) == batch
    write.remove_others(lake)
    assert [each.name for each in (lake / "batches").iterdir()] == ["two"]


@pytest.mark.parametrize("act", [lambda lake: write.make_current(lake, "one"), write.remove_others])
def test_a_home_that_was_copied_without_links_loses_no_batch(
    tmp_path: Path, act: Callable[[Path], None]
) -> None:
    """`cp -r` of some systems follows links: `raw` is then a folder, and no batch is current."""
    lake = lake_with("one", tmp_path)
    (lake / "raw").mkdir()
    with pytest.raises(UsageError, match=r"raw is a folder.*copied without its links.*cp -a"):
        act(lake)
    assert (lake / "batches" / "one").is_dir()
