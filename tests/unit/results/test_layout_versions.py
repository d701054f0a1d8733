"""Files of finished results stay readable: a changed layout has a new version."""

import hashlib
from pathlib import Path

import h5py
import pytest
from layouts import LAYOUTS

from sharpest.results.layout import Layout
from sharpest.results.shards import write_together

# name -> version, digest of the names, types and dimensions of its arrays and of its attributes
KNOWN = {
    "data": (2, "39814e60"),
    "tokens": (2, "277b07e2"),
    "reviews": (2, "1b9ad94f"),
    "imported": (1, "d23bb7c4"),
    "snapshots": (5, "4a959458"),
    "critical": (2, "ff784c23"),
    "density": (3, "73b7a6b0"),
    "directions": (5, "0484d2fd"),
    "evaluations": (6, "5d5e83cf"),
    "first_steps": (2, "73d384aa"),
    "gradient_flow": (2, "15f9e6a5"),
    "gradient_sample": (2, "edf551d6"),
    "interventions": (1, "a39ea014"),
    "preconditioned": (1, "811b95df"),
    "spectra": (4, "77b86e6d"),
    "trace": (2, "86fd843f"),
}


def digest(layout: Layout) -> str:
    arrays = [(dataset.name, dataset.dtype, *dataset.dims) for dataset in layout.datasets]
    return hashlib.sha256(repr((arrays, layout.attributes)).encode()).hexdigest()[:8]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_changed_layout_has_a_new_version(layout: Layout) -> None:
    assert (layout.version, digest(layout)) == KNOWN[layout.name], "raise the version, then correct the table"


def test_all_layouts_are_known() -> None:
    assert [layout.name for layout in LAYOUTS] == [*KNOWN]


def test_a_file_of_several_layouts_has_a_version(tmp_path: Path) -> None:
    write_together(tmp_path / "a.h5", [])
    with h5py.File(tmp_path / "a.h5") as file:
        assert dict(file.attrs) == {"layout": "together", "version": 1}
