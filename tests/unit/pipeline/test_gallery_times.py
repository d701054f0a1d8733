"""Records of time."""

from pathlib import Path

import pytest

from sharpest.errors import StoreError
from sharpest.pipeline.gallery_entries import seconds_of


@pytest.mark.parametrize("content", [b"", b"a\tb\n1\t2\n", b"s\nfast\n", b"\xff\xfe\0"])
def test_a_damaged_record_of_time_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.tsv"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"run\.tsv: damaged record of time \(.*\); delete it"):
        seconds_of(path)


@pytest.mark.parametrize(("content", "seconds"), [("s\n", 0), ("s\th:m:s\n90.5\t0:01:30\n", 90.5)])
def test_seconds_are_added(content: str, seconds: float, tmp_path: Path) -> None:
    path = tmp_path / "run.tsv"
    path.write_text(content)
    assert seconds_of(path) == seconds
