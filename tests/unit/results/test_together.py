"""Several layouts in one file: each is read as if it were alone, and damage is detected."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sharpest.errors import StoreError
from sharpest.results.layout import Layout
from sharpest.results.measured import SPECTRA, TRACE
from sharpest.results.shards import write_together
from sharpest.results.stored import Measured
from sharpest.results.whole import USER_BLOCK


def part(layout: Layout, **arrays: Any) -> tuple[Layout, dict[str, Any], dict[str, Any]]:
    """Two points; omitted arrays are zero."""
    sizes = {"t": 2, "k": 3, "v": 0, "p": 4}
    zeros = {data.name: np.zeros([sizes[letter] for letter in data.dims]) for data in layout.datasets}
    return layout, {**zeros, **arrays}, dict.fromkeys(layout.attributes, layout.name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    values = np.arange(6.0).reshape(2, 3)
    write_together(tmp_path / "both.h5", [part(SPECTRA, eigenvalues=values), part(TRACE, trace=np.array([1.0, 2.0]))])
    return tmp_path / "both.h5"


def test_each_is_read_as_if_it_were_alone(path: Path) -> None:
    spectra, trace = Measured(path, SPECTRA), Measured(path, TRACE)
    np.testing.assert_array_equal(spectra["eigenvalues"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(trace["trace"], [1, 2])
    assert spectra["eigenvectors"].shape == (0, 3, 4)
    assert (spectra.run, trace.run) == ("spectra", "trace")
    assert trace.to_xarray().trace.attrs["units"] == "nats"


def test_a_missing_part(tmp_path: Path) -> None:
    write_together(tmp_path / "one.h5", [part(TRACE)])
    with pytest.raises(StoreError, match=r"one\.h5: holds trace, but not spectra; watch that quantity too$"):
        Measured(tmp_path / "one.h5", SPECTRA)


def test_damage_is_detected(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[USER_BLOCK + 2000] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        Measured(path, TRACE)


def test_arrays_that_contradict_their_layout_leave_no_file(tmp_path: Path) -> None:
    layout, arrays, attributes = part(TRACE)
    with pytest.raises(ValueError, match="arrays missing \\['trace'\\]"):
        write_together(tmp_path / "no.h5", [(layout, {n: a for n, a in arrays.items() if n != "trace"}, attributes)])
    assert not list(tmp_path.iterdir())
