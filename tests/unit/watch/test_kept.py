"""The file of a monitor: complete at any time, in the layouts of measures."""

import math
import multiprocessing
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from builders import SCALE
from loops import OPTIMIZERS, cross_entropy, probe, smooth, train

import sharpest
from sharpest.config.studies import EigenvalueCurve, EigenvaluePanel, LargestEigenvalues
from sharpest.errors import StoreError
from sharpest.figures.canvas import FigureInputs
from sharpest.figures.lines import largest_eigenvalues as draw
from sharpest.measures.spectra import Spectra
from sharpest.results.paths import Paths
from sharpest.results.runs import Results
from sharpest.results.stored import reader_of

torch.set_num_threads(1)
ALL = ("lambda_max", "eigenvalues", "trace", "batch_sharpness", "critical", "preconditioned")


def watched(path: Path, steps: int = 4, **changes: Any) -> Any:
    net = smooth()
    optimizer = OPTIMIZERS["adam"](net.parameters())
    given = {"every": 2, "quantities": ALL, "num_eigenpairs": 3, "steps_per_epoch": 2, **changes}
    monitor = sharpest.watch(net, cross_entropy, probe(), optimizer=optimizer, path=path, **given)
    with monitor:
        train(net, optimizer, monitor.step, steps)
    return monitor


@pytest.mark.filterwarnings("ignore::sharpest.watch.WatchWarning")
def test_readers_find_the_measurements(tmp_path: Path) -> None:
    monitor = watched(tmp_path / "watch.h5")
    spectra = Spectra(tmp_path / "watch.h5")
    assert (spectra.iteration.tolist(), spectra.epoch.tolist()) == ([0, 2, 4], [0, 1, 2])
    np.testing.assert_array_equal(spectra.lambda_max, monitor.values["lambda_max"])
    np.testing.assert_array_equal(spectra.eigenvalues[:, 2], monitor.values["eigenvalues_2"])
    assert spectra.converged.all()
    columns = {
        "trace": {"trace": "trace", "trace_error": "trace_error"},
        "critical": {"critical_sharpness": "critical", "forwards": "critical_forwards"},
        "gradient_sample": {
            "batch_sharpness": "batch_sharpness", "batch_sharpness_error": "batch_sharpness_error",
            "ratio_of_means": "batch_sharpness_ratio_of_means",
        },
    }  # fmt: skip
    for measure, names in columns.items():
        file = reader_of(measure)(tmp_path / "watch.h5")
        for array, name in names.items():
            np.testing.assert_array_equal(file[array], monitor.values[name])
        assert str(file.attributes["device"]).endswith(f"{torch.backends.cpu.get_cpu_capability()})")
        assert len(file.to_frame()) == 3
        assert len(file.to_xarray().iteration) == 3
    with h5py.File(tmp_path / "watch.h5") as file:
        for array in ("preconditioned_sharpness", "floor_share"):
            name = array.replace("preconditioned_sharpness", "preconditioned").replace("floor", "preconditioned_floor")
            np.testing.assert_array_equal(file[f"preconditioned/{array}"], monitor.values[name])
        assert set(file) == {"spectra", "trace", "gradient_sample", "critical", "preconditioned"}


def test_a_figure_can_be_drawn_from_it(tmp_path: Path) -> None:
    """From the path of a run's spectra in a results folder."""
    paths = Paths.of(SCALE, tmp_path)
    run = "scnn-c10-sgd-lr0.1-S8-s777"
    monitor = watched(paths.measured("spectra", run, "watch"), quantities=["eigenvalues"], name=run)
    inputs = FigureInputs(Results(paths.folder), {})
    curve = EigenvalueCurve(run=run, schedule="watch", label="mine")
    rows = [[EigenvaluePanel(title="watched", curves=[curve])]]
    study = LargestEigenvalues(
        kind="largest_eigenvalues", caption="", rows=rows, num_eigenvalues=1, scale="log", composite=False
    )
    _, points = draw(study, inputs, "")
    np.testing.assert_array_equal(points.y, monitor.values["eigenvalues"])
    np.testing.assert_array_equal(points.x, monitor.values["step"] / 2)


def test_a_second_monitor_on_one_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "watch.h5"
    first = sharpest.watch(smooth(), cross_entropy, probe(), path=path)
    with pytest.raises(ValueError, match=r"another monitor is writing .*watch\.h5; close that monitor"):
        sharpest.watch(smooth(), cross_entropy, probe(), path=path)
    first.close()
    with pytest.raises(ValueError, match=r"watch\.h5 exists; delete it, or pass another path"):
        sharpest.watch(smooth(), cross_entropy, probe(), path=path)
    path.unlink()
    sharpest.watch(smooth(), cross_entropy, probe(), path=path).close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["watch.h5"]


def test_a_file_goes_on_after_earlier_updates(tmp_path: Path) -> None:
    """What was measured from the start on is replaced; other settings are refused."""
    path = tmp_path / "watch.h5"
    watched(path, steps=6)
    before = Spectra(path).eigenvalues
    watched(path, start=4, steps=2)
    spectra = Spectra(path)
    assert (spectra.iteration.tolist(), spectra.epoch.tolist()) == ([0, 2, 4, 6], [0, 1, 2, 3])
    np.testing.assert_array_equal(spectra.eigenvalues[:2], before[:2])
    assert not np.array_equal(spectra.eigenvalues[2:], before[2:])
    with pytest.raises(ValueError, match="was measured with other settings; pass the same, or another path"):
        watched(path, start=4, num_eigenpairs=2)
    with pytest.raises(ValueError, match="to go on in it, pass start"):
        watched(path)
    assert Spectra(path).iteration.tolist() == [0, 2, 4, 6]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        sharpest.watch(smooth(), cross_entropy, probe(), path=tmp_path / "file" / "watch.h5")


def test_a_disk_that_fills_does_not_end_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the unwritten data are written once there is space again."""
    path = tmp_path / "watch.h5"
    monitor = sharpest.watch(smooth(), cross_entropy, probe(), path=path, every=1)
    with monkeypatch.context() as patch:
        patch.setattr("sharpest.watch.kept.write_together", full_disk)
        with pytest.warns(sharpest.watch.WatchWarning, match="no space left"):
            monitor.step()
    assert Spectra(path).iteration.tolist() == [0]
    monitor.step()
    assert Spectra(path).iteration.tolist() == [0, 1, 2]


def full_disk(*given: Any) -> None:
    raise StoreError("watch.h5: cannot be written (no space left); free space")


def test_non_finite_values_are_nan_with_a_flag(tmp_path: Path) -> None:
    net = smooth()
    monitor = sharpest.watch(net, cross_entropy, probe(), every=1, path=tmp_path / "watch.h5", steps_per_epoch=2)
    net[0].weight.data.fill_(math.nan)
    with pytest.warns(sharpest.watch.WatchWarning):
        monitor.step()
    spectra = Spectra(tmp_path / "watch.h5")
    assert np.isnan(spectra.lambda_max).tolist() == [False, True]
    assert spectra.converged[:, 0].tolist() == [True, False]
    assert spectra.diverged == 0.5


def watch_forever(path: Path, noted: Path) -> None:
    """Measure at every step, and note it, until the process is killed."""
    monitor = sharpest.watch(smooth(), cross_entropy, probe(), every=1, path=path)
    with open(noted, "a", encoding="utf-8") as file:
        while True:
            monitor.step()
            print(len(monitor.values["step"]), file=file, flush=True)


def test_a_killed_training_leaves_a_readable_file(tmp_path: Path) -> None:
    """At any moment; the next training may use the name once the file is removed."""
    path, noted = tmp_path / "watch.h5", tmp_path / "noted"
    noted.touch()
    process = multiprocessing.get_context("fork").Process(target=watch_forever, args=(path, noted))
    process.start()
    while len(noted.read_text().splitlines()) < 5:
        assert process.is_alive()
        time.sleep(0.013)
    process.kill()
    process.join()
    count = len(Spectra(path).iteration)
    assert count - len(noted.read_text().splitlines()) in (1, 2)
    path.unlink()
    sharpest.watch(smooth(), cross_entropy, probe(), path=path).close()
    assert len(Spectra(path).iteration) == 1
