"""Reading a file by name: arrays, rows, points, tables, data sets."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from results_folder import ResultsFolder

from sharpest.config.measures import measure_names
from sharpest.errors import MissingPackageError, StoreError
from sharpest.measures.directions import MEASURE as DIRECTIONS
from sharpest.measures.spectra import MEASURE as SPECTRA
from sharpest.results.file import create_stored, write_stored
from sharpest.results.layout import Dataset, Layout
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.results.stored import Measured, Snapshots, Stored, common_points, reader_of
from sharpest.results.whole import LONG_ROW

RUN = "scnn-c10-sgd-lr0.1-S8-s777"
SIZES = {"t": 3, "k": 2, "v": 2, "p": 7, "d": 2, "m": 4, "a": 3, "g": 5, "x": 6, "c": 3, "s": 4,
         "o": 2, "l": 3, "n": 4, "j": 2}  # fmt: skip


def numbers(layout: Layout, sizes: dict[str, int]) -> dict[str, Any]:
    """Arrays in which all numbers differ."""
    arrays = {}
    for dataset in layout.datasets:
        shape = [sizes.get(letter, 0) for letter in dataset.dims]
        values = np.arange(np.prod(shape)).reshape(shape)
        arrays[dataset.name] = (values % 3 == 0 if dataset.dtype == "?" else values).astype(dataset.dtype)
    return arrays


@pytest.fixture
def arrays() -> dict[str, Any]:
    """Arrays of a spectra file: three points, the first and the last with vectors."""
    return {
        **numbers(SPECTRA.layout, SIZES),
        "iteration": np.array([0, 3, 10]),
        "epoch": np.array([0, 0.6, 2]),
        "vector_index": np.array([0, 2]),
    }


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    return ResultsFolder(tmp_path / "quick")


@pytest.fixture
def write(folder: ResultsFolder, arrays: dict[str, Any]) -> Callable[..., Measured]:
    """A spectra file with other attributes."""

    def write(**attributes: Any) -> Measured:
        folder.write_measure("spectra", RUN, "step", SIZES, arrays, **attributes)
        return folder.results[RUN].read(reader_of("spectra"), "step")

    return write


def test_arrays_rows_and_shapes(write: Callable[..., Measured], arrays: dict[str, Any]) -> None:
    stored = write()
    for dataset in SPECTRA.layout.datasets:
        name = dataset.name
        np.testing.assert_array_equal(stored[name], arrays[name])
        np.testing.assert_array_equal(stored.row(name, 1), arrays[name][1])
        assert stored.shape(name) == arrays[name].shape
        assert stored[name].dtype == np.dtype(dataset.dtype)
    names = ["eigenvectors", "vector_index"]
    row = stored.row_of(iter(names), 1)
    assert list(row) == names
    assert all(np.array_equal(row[name], arrays[name][1]) for name in names)
    assert [dataset.name for dataset in stored.datasets] == [dataset.name for dataset in SPECTRA.layout.datasets]


def test_an_unknown_array_is_named_with_the_known_ones(write: Callable[..., Measured]) -> None:
    stored = write()
    with pytest.raises(KeyError, match=r"spectra files hold iteration, epoch, eigenvalues, .*, not 'eigenvalue'"):
        stored["eigenvalue"]
    with pytest.raises(AttributeError, match=r"Spectra has no 'eigenvalue'; its arrays are iteration, epoch"):
        _ = stored.eigenvalue
    np.testing.assert_array_equal(stored.hvps, stored["hvps"])


def test_run_settings_and_divergence_are_named(write: Callable[..., Measured]) -> None:
    stored = write(lr=0.25, settings={"num_eigenpairs": 2}, hessian={"examples": 20}, diverged_epoch=3.25)
    assert (stored.run, stored.lr, stored.diverged) == (RUN, 0.25, 3.25)
    assert stored.divergence == "diverged at epoch 3.25"
    assert (stored.settings, stored.hessian) == ({"num_eigenpairs": 2}, {"examples": 20})
    assert (stored.iteration.tolist(), stored.epoch.tolist()) == ([0, 3, 10], [0, 0.6, 2])


def test_a_run_that_did_not_diverge_has_no_divergence_text(write: Callable[..., Measured]) -> None:
    stored = write()
    assert stored.diverged is None
    assert stored.divergence == ""


# --- points


def test_a_point_has_its_row_of_every_array_and_its_vectors(
    write: Callable[..., Measured], arrays: dict[str, Any]
) -> None:
    stored = write()
    columns = [dataset.name for dataset in SPECTRA.layout.datasets if dataset.dims[0] == "t"]
    for row, iteration in enumerate([0, 3, 10]):
        contents = stored.at(iteration)
        assert contents is not None
        assert contents.keys() == {*columns, *(["eigenvectors"] if iteration != 3 else [])}
        assert all(np.array_equal(contents[name], arrays[name][row]) for name in columns)
    np.testing.assert_array_equal(stored.at(0)["eigenvectors"], arrays["eigenvectors"][0])
    np.testing.assert_array_equal(stored.at(10)["eigenvectors"], arrays["eigenvectors"][1])
    assert stored.at(4) is None


@pytest.mark.parametrize("chosen", [[2, 0], [True, False, True]])
def test_chosen_rows_are_read(write: Callable[..., Measured], arrays: dict[str, Any], chosen: list[Any]) -> None:
    """In the given order; the file is unchanged, and vectors are not read."""
    stored = write()
    part = stored.rows(np.array(chosen))
    assert type(part) is type(stored)
    assert part.iteration.tolist() == arrays["iteration"][np.array(chosen)].tolist()
    np.testing.assert_array_equal(part["eigenvalues"], arrays["eigenvalues"][np.array(chosen)])
    assert part.shape("eigenvalues") == (2, 2)
    assert {dataset.name for dataset in part.datasets} == {
        dataset.name for dataset in SPECTRA.layout.datasets if dataset.dims[0] == "t"
    }
    assert "eigenvectors" not in part.at(10)
    assert stored.iteration.tolist() == [0, 3, 10]


def test_common_points_are_joined_in_order_of_time(folder: ResultsFolder, arrays: dict[str, Any]) -> None:
    """Arrays that are the same at all points are unchanged."""
    folder.write_measure("spectra", RUN, "step", SIZES, arrays)
    values = {**numbers(DIRECTIONS.layout, {**SIZES, "t": 4}), "iteration": np.array([3, 5, 10, 12])}
    folder.write_measure("directions", RUN, "step", {**SIZES, "t": 4}, values)
    run = folder.results[RUN]
    spectra, directions = common_points(run.spectra("step"), run.directions("step"))
    assert spectra.iteration.tolist() == directions.iteration.tolist() == [3, 10]
    np.testing.assert_array_equal(spectra["hvps"], arrays["hvps"][[1, 2]])
    np.testing.assert_array_equal(directions["profile"], values["profile"][[0, 2]])
    np.testing.assert_array_equal(directions["grid"], values["grid"])


# --- tables and data sets


def test_a_frame_has_a_row_for_each_point(write: Callable[..., Measured], arrays: dict[str, Any]) -> None:
    frame = write().to_frame()
    assert list(frame.columns) == [
        "run", "iteration", "epoch", "eigenvalues_0", "eigenvalues_1", "residuals_0", "residuals_1", "converged_0",
        "converged_1", "hvps", "seconds", "train_loss", "train_accuracy", "val_loss", "val_accuracy",
    ]  # fmt: skip
    assert frame["run"].tolist() == [RUN] * 3
    for name in ("iteration", "epoch", "train_loss"):
        np.testing.assert_array_equal(frame[name], arrays[name])
    for place in (0, 1):
        np.testing.assert_array_equal(frame[f"eigenvalues_{place}"], arrays["eigenvalues"][:, place])
    assert frame["converged_0"].dtype == bool


def test_a_frame_of_no_points_has_its_columns(folder: ResultsFolder) -> None:
    folder.write_measure("directions", RUN, "step", {**SIZES, "t": 0}, {})
    frame = folder.results[RUN].directions("step").to_frame()
    assert len(frame) == 0
    assert {"run", "iteration", "loss", "gradient_norm_3", "cosine_1"} <= set(frame.columns)
    # with three dimensions, or the same at all points
    assert not {"projection", "profile", "grid", "alphas", "direction"} & set(frame.columns)


def test_a_data_set_has_the_names_of_the_layout(folder: ResultsFolder) -> None:
    """Dimensions by letter, unit and meaning; the array that numbers a dimension is a coordinate."""
    arrays = {**numbers(DIRECTIONS.layout, SIZES), "iteration": np.array([0, 3, 10])}
    settings = {"indices": [1, 3]}
    folder.write_measure("directions", RUN, "step", SIZES, arrays, settings=settings, mode="inference", lr=0.1)
    data = folder.results[RUN].directions("step").to_xarray()
    assert dict(data.sizes) == {letter: SIZES[letter] for letter in "tdmag"}
    assert set(data.coords) == {"iteration", "epoch", "direction", "alphas", "grid"}
    for dataset in DIRECTIONS.layout.datasets:
        variable = data[dataset.name]
        assert variable.dims == dataset.dims
        assert variable.attrs == {"units": dataset.unit, "long_name": dataset.meaning}
        assert variable.dtype == np.dtype(dataset.dtype)
        np.testing.assert_array_equal(variable, arrays[dataset.name])
    assert (data.attrs["run"], data.attrs["lr"], data.attrs["diverged_epoch"]) == (RUN, 0.1, "null")
    assert json.loads(data.attrs["settings"]) == settings


def test_vectors_are_read_on_request(write: Callable[..., Measured], arrays: dict[str, Any]) -> None:
    stored = write()
    assert "eigenvectors" not in stored.to_xarray()
    data = stored.to_xarray(vectors=True)
    assert data["eigenvectors"].dims == ("v", "k", "p")
    np.testing.assert_array_equal(data["eigenvectors"], arrays["eigenvectors"])
    assert data.coords["vector_index"].dims == ("v",)


@pytest.mark.parametrize("measure", measure_names())
def test_a_data_set_survives_a_round_trip_through_netcdf(folder: ResultsFolder, tmp_path: Path, measure: str) -> None:
    """SciPy writes it without further packages: numbers, names, units, attributes."""
    reader = reader_of(measure)
    known = {"settings": {"a": [1, None]}, "mode": "inference", "lr": 0.1, "planned_points": 3, "reductions": ["none"]}
    folder.write_measure(measure, RUN, "step", SIZES, numbers(reader.layout, SIZES), **known)
    data = folder.results[RUN].read(reader, "step").to_xarray(vectors=True)
    data.to_netcdf(tmp_path / "a.nc", engine="scipy")
    with xarray.open_dataset(tmp_path / "a.nc", engine="scipy") as file:
        back = file.load()
    xarray.testing.assert_equal(back, data)
    assert set(back.coords) == set(data.coords)
    assert all(back[name].attrs == data[name].attrs for name in data.variables)
    assert back.attrs == data.attrs
    assert (back.attrs["net_mode"], json.loads(back.attrs["settings"])) == ("inference", {"a": [1, None]})


def test_a_missing_package_is_one_line(write: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch) -> None:
    stored = write()
    monkeypatch.setitem(sys.modules, "xarray", None)
    message = (
        r"^to_xarray needs sharpest\[pipeline\]: pip install 'sharpest\[pipeline\]' "
        r"\(package xarray is not installed\)$"
    )
    with pytest.raises(MissingPackageError, match=message):
        stored.to_xarray()
    assert len(stored.to_frame()) == 3


# --- large arrays


LONG = LONG_ROW // 4  # float32 numbers in a row that has its own checksum


@pytest.fixture
def long_rows(tmp_path: Path) -> tuple[Path, Any]:
    """A snapshots file with rows of a megabyte, and these rows."""
    path, theta = tmp_path / "snapshots.h5", np.random.default_rng(0).standard_normal((3, LONG)).astype("f4")
    empty = {
        dataset.name: np.zeros([3 if letter == "t" else 0 for letter in dataset.dims], dataset.dtype)
        for dataset in SNAPSHOTS.datasets
    }
    arrays = {**empty, "iteration": np.arange(3), "theta": theta}
    write_stored(path, SNAPSHOTS, arrays, {**dict.fromkeys(SNAPSHOTS.attributes, "x"), "diverged": -1})
    return path, theta


def spoil(path: Path, content: bytes) -> None:
    """Flip a bit in the middle of the given bytes of a file."""
    whole = path.read_bytes()
    place = whole.index(content) + len(content) // 2
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])


def test_a_long_row_is_checked_whenever_it_is_read(long_rows: tuple[Path, Any]) -> None:
    """Even if the file was intact when opened, and has been closed since."""
    path, theta = long_rows
    stored = Snapshots(path)
    np.testing.assert_array_equal(stored.row("theta", 1), theta[1])
    spoil(path, theta[1].tobytes())
    for read in (
        lambda: stored.row("theta", 1),
        lambda: stored.row_of(["iteration", "theta"], 1),
        lambda: stored["theta"],
        lambda: stored.state(1),
    ):
        with pytest.raises(StoreError, match=r"snapshots\.h5: theta is damaged .*delete it and run snakemake again"):
            read()
    np.testing.assert_array_equal(stored.row("theta", 2), theta[2])


def test_streamed_rows_are_checked_too(tmp_path: Path) -> None:
    layout = Layout("vectors", 1, (Dataset("theta", "f4", ("t", "p"), "", ""),), ())
    rows = np.random.default_rng(1).standard_normal((2, LONG)).astype("f4")
    with create_stored(tmp_path / "a.h5", layout) as file:
        stream = file.stream("theta", rows.shape)
        for row in (0, 1):
            stream[row] = rows[row]
        file.complete({}, {})
    stored = Stored(tmp_path / "a.h5", layout)
    spoil(tmp_path / "a.h5", rows[0].tobytes())
    np.testing.assert_array_equal(stored.row("theta", 1), rows[1])
    with pytest.raises(StoreError, match="theta is damaged"):
        stored.row("theta", 0)


def test_small_arrays_are_in_memory_and_large_ones_in_the_file(long_rows: tuple[Path, Any]) -> None:
    path, _ = long_rows
    stored = Snapshots(path)
    path.unlink()
    assert stored.iteration.tolist() == [0, 1, 2]
    with pytest.raises(StoreError, match=r"snapshots\.h5: has changed since it was opened .*; open it again") as caught:
        stored.row("theta", 0)
    assert "\n" not in str(caught.value)


def test_a_replaced_file_is_refused(long_rows: tuple[Path, Any]) -> None:
    path, _ = long_rows
    stored = Snapshots(path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(StoreError, match="has changed since it was opened"):
        stored.row("theta", 0)


def test_the_update_at_which_a_run_diverged(folder: ResultsFolder) -> None:
    for number, (contents, expected) in enumerate([(-1, None), (0, 0), (17, 17)]):
        path = folder.write_snapshots(f"run{number}", {"t": 1}, {}, diverged=contents)
        assert Snapshots(path).diverged == expected
