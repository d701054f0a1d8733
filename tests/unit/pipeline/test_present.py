"""Finished files that are not what Snakemake takes them for."""

import json
from pathlib import Path

import h5py
import pytest

from sharpest.pipeline.present import made_of_others, other_settings
from sharpest.results.made import write_made
from sharpest.results.paths import Paths
from sharpest.results.whole import digest_of


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    path = tmp_path / "grid.h5"
    with h5py.File(path, "w") as file:
        file.attrs["config"] = json.dumps(
            {"run": {"lr": 0.1, "widths": [2, 4]}, "settings": {"k": 3}, "schedule": "grid"}
        )
        file.attrs["planned_points"] = 4
    return path


def test_equal_settings_give_no_line(measured: Path) -> None:
    assert other_settings(measured, {"run": {"lr": 0.1, "widths": (2, 4)}, "settings": {"k": 3}}, 4) == ""


@pytest.mark.parametrize(
    ("settings", "points", "words"),
    [
        ({"k": 4}, 4, "(settings.k 3 -> 4)"),
        ({"k": 3}, 5, "(points 4 -> 5)"),
        ({"k": 3, "new": 1}, 4, "settings.new 1 is new"),
    ],
)
def test_each_difference_is_named(measured: Path, settings: dict[str, int], points: int, words: str) -> None:
    line = other_settings(measured, {"run": {"lr": 0.1, "widths": [2, 4]}, "settings": settings}, points)
    assert line.startswith(f"{measured}: was made with other settings than the configuration has now")
    assert words in line
    assert "delete it" in line


@pytest.mark.parametrize("content", [b"", b"not HDF5"])
def test_a_damaged_file_is_left_to_its_readers(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    assert other_settings(tmp_path / "a.h5", {}, 4) == ""
    assert other_settings(tmp_path / "missing.h5", {}) == ""


def test_a_drawing_of_another_source_is_named_with_its_command(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "tiny")
    source, drawn = paths.history("a"), paths.figure("fig01", "csv")
    for path in (source, drawn):
        path.parent.mkdir(parents=True)
        path.write_text("1\n")
    write_made(paths, [drawn], {paths.place(source): digest_of(source)})
    record = paths.made(drawn)
    assert made_of_others(record, paths) == ""
    source.write_text("2\n")
    line = made_of_others(record, paths)
    assert line.startswith(f"{drawn}: was made from another {source} than is there now; make it again with: snakemake ")
    source.unlink()  # a shared folder may lack it
    assert made_of_others(record, paths) == ""
    record.write_text("{")
    assert made_of_others(record, paths) == ""
