"""A file describes its contents to readers that do not know the measure that wrote it."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from sharpest.errors import StoreError
from sharpest.results.file import create_stored, write_stored
from sharpest.results.layout import Dataset, Layout, measured_layout
from sharpest.results.runs import open_results
from sharpest.results.shards import write_together
from sharpest.results.stored import Measured, Stored, layout_in, layouts_in
from sharpest.results.whole import seal

pytestmark = pytest.mark.core

MINE = measured_layout(
    "somebodys_own", 7,
    Dataset("values", "f8", ("t", "k"), "nats", "of a measure that is not installed"),
    Dataset("flags", "?", ("t",), "", "whether"),
    Dataset("vectors", "f4", ("v", "k", "p*"), "", "unit rows"),
)  # fmt: skip
OTHER = measured_layout("another", 1, Dataset("number", "f8", ("t",), "", "one"))


def arrays_of(layout: Layout) -> dict[str, NDArray[Any]]:
    sizes = {"t": 3, "k": 2, "v": 1, "p*": 5}
    rng = np.random.default_rng(0)
    return {
        array.name: rng.integers(0, 2, [sizes[letter] for letter in array.dims]).astype(array.dtype)
        for array in layout.datasets
    }


def attributes_of(layout: Layout) -> dict[str, Any]:
    return dict.fromkeys(layout.attributes, "x") | {
        "run": "a-run", "schedule": "s", "scale": "quick", "made_from": {}, "packages": {}, "reductions": [], "lr": 0.5,
    }  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "quick" / "somebodys_own" / "a-run" / "s.h5"
    write_stored(path, MINE, arrays_of(MINE), attributes_of(MINE))
    return path


def same(found: Layout, written: Layout) -> bool:
    """Equal except for the order."""
    arrays = {(array.name, np.dtype(array.dtype), array.dims, array.unit, array.meaning) for array in written.datasets}
    return (found.name, found.version, set(found.attributes)) == (
        written.name,
        written.version,
        set(written.attributes),
    ) and arrays == {
        (array.name, np.dtype(array.dtype), array.dims, array.unit, array.meaning) for array in found.datasets
    }


def test_the_layout_is_in_the_file(path: Path) -> None:
    assert same(layout_in(path), MINE)
    assert list(layouts_in(path)) == ["somebodys_own"]


def test_streamed_arrays_name_their_dimensions_as_well(tmp_path: Path) -> None:
    arrays = arrays_of(MINE)
    with create_stored(tmp_path / "a.h5", MINE) as file:
        rows = file.stream("vectors", arrays["vectors"].shape)
        rows[0] = arrays.pop("vectors")[0]
        file.complete(arrays, attributes_of(MINE))
    assert same(layout_in(tmp_path / "a.h5"), MINE)


def test_it_is_read_without_a_layout(path: Path) -> None:
    measured, arrays = Measured(path), arrays_of(MINE)
    assert (measured.kind, measured.version, measured.run, measured.lr) == ("somebodys_own", 7, "a-run", 0.5)
    for name, array in arrays.items():
        np.testing.assert_array_equal(measured[name], array)
    assert list(measured.columns()) == ["iteration", "epoch", "flags", "values_0", "values_1"]
    np.testing.assert_array_equal(measured.columns()["values_1"], arrays["values"][:, 1])


def test_a_file_of_several_kinds_has_a_layout_for_each(tmp_path: Path) -> None:
    path = tmp_path / "both.h5"
    write_together(path, [(layout, arrays_of(layout), attributes_of(layout)) for layout in (MINE, OTHER)])
    assert same(layouts_in(path)["another"], OTHER)
    np.testing.assert_array_equal(Stored(path, layout_in(path, "somebodys_own"))["values"], arrays_of(MINE)["values"])
    with pytest.raises(StoreError, match=r"both.h5: holds another, somebodys_own; say which is meant"):
        Stored(path)
    with pytest.raises(StoreError, match=r"holds another, somebodys_own; and no third"):
        layout_in(path, "third")


def test_results_are_opened_by_run(path: Path) -> None:
    """As without the pipeline: the class that reads files of all measures is ``Measured``."""
    run = open_results(path.parents[3], "quick")["a-run"]
    assert run.measures == ["somebodys_own"]
    assert run.schedules("somebodys_own") == ["s"]
    np.testing.assert_array_equal(run.read(Measured, "s", "somebodys_own").values, arrays_of(MINE)["values"])


def test_unreadable_descriptions_are_one_line(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none.h5: does not exist"):
        layout_in(tmp_path / "none.h5")
    with h5py.File(path, "r+") as file:
        del file["values"].attrs["DIMENSION_LABELS"]
    with pytest.raises(StoreError, match=r"s.h5: is damaged, or was changed.*; delete it and run snakemake again"):
        layout_in(path)
    seal(path)
    message = r"s.h5: does not name the dimensions of values: it was written by an older version of the code; delete it"
    with pytest.raises(StoreError, match=message):
        layout_in(path)
