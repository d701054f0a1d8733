"""The reader class of a measure's files."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sharpest.config.measures import measure_names
from sharpest.measures.directions import Directions
from sharpest.measures.evaluations import Evaluations
from sharpest.measures.spectra import Spectra
from sharpest.results.file import write_stored
from sharpest.results.layout import MEASURED, Dataset, measured_layout
from sharpest.results.stored import Measured, reader_of


def test_a_measure_has_its_own_reader() -> None:
    assert [reader_of(name) for name in ("spectra", "directions", "evaluations")] == [Spectra, Directions, Evaluations]
    assert all(reader_of(name).layout.name == name for name in measure_names())


def test_a_measure_without_one_is_read_by_the_names_of_its_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = measured_layout("toy", 1, Dataset("trace", "f8", ("t",), "nats", "of the Hessian"))
    (tmp_path / "toy").mkdir()
    module = ModuleType("sharpest.measures.toy")
    module.__path__ = [str(tmp_path / "toy")]
    module.MEASURE = type("Declared", (), {"layout": layout})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sharpest.measures.toy", module)
    reader = reader_of("toy")
    assert issubclass(reader, Measured)
    arrays = {"iteration": [0, 5], "epoch": [0, 1], "trace": [3.0, 4.0]}
    write_stored(tmp_path / "a.h5", layout, arrays, {**dict.fromkeys(MEASURED, ""), "run": "r"})
    stored = reader(tmp_path / "a.h5")
    np.testing.assert_array_equal(stored.trace, [3, 4])
    assert stored.to_frame()["trace"].tolist() == [3, 4]
    # a measure with its own reader uses that
    module.Reader = type("Reader", (Measured,), {"layout": layout})  # type: ignore[attr-defined]
    assert reader_of("toy") is module.Reader


@pytest.mark.parametrize("missing", ["pydantic", "sharpest.measures.spectra"])
def test_only_another_package_may_be_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Where only the core is installed, measures cannot be imported; their files name their own arrays."""

    def find(name: str) -> None:
        raise ModuleNotFoundError(name=missing)

    monkeypatch.setattr("sharpest.results.stored.import_module", find)
    if missing == "pydantic":
        assert reader_of("spectra") is Measured
    else:
        with pytest.raises(ModuleNotFoundError):
            reader_of("spectra")
