"""The results of a scale by run, and the messages about missing ones."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import Run, run_settings
from results_folder import ResultsFolder
from sealed import changed

import sharpest
from sharpest.config.measures import declared, measure_names
from sharpest.errors import StoreError
from sharpest.measures.directions import Directions
from sharpest.measures.spectra import Spectra
from sharpest.results.record import write_record
from sharpest.results.runs import Results, open_results
from sharpest.results.snapshots import SNAPSHOTS

RUN = "scnn-c10-sgd-lr0.1-S8-s777"
OTHER = "vgg-c10-sgd-lr0.01-S128-s778"
BRANCH = f"{RUN}@e4/notop"
SIZES = {"t": 2, "k": 1, "p": 3}


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    """Two runs and a branch of one; spectra of two schedules, evaluations of the branch."""
    folder = ResultsFolder(tmp_path / "quick")
    for run in (OTHER, BRANCH, RUN):
        folder.write_snapshots(run, {"t": 1}, {})
        folder.write_history(run, {"epoch": [1, 2], "val_accuracy": [0.25, 0.5]})
    for schedule in ("step", "evolution"):
        folder.write_measure("spectra", RUN, schedule, SIZES, {"iteration": [0, 5]})
    folder.write_measure("evaluations", BRANCH, "ends", SIZES, {"iteration": [10, 20]})
    return folder


def refusal(read: Any) -> str:
    """The one-line refusal."""
    with pytest.raises(StoreError) as caught:
        read()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_runs_are_counted_with_their_branches(folder: ResultsFolder) -> None:
    assert list(folder.results) == [RUN, BRANCH, OTHER]
    assert list(Results(folder.paths.folder / "nowhere")) == []


def test_measures_are_read_by_their_names(folder: ResultsFolder) -> None:
    results = folder.results
    spectra = results[RUN].spectra("step")
    assert isinstance(spectra, Spectra)
    assert (spectra.run, spectra.attributes["schedule"]) == (RUN, "step")
    assert results[RUN].spectra("evolution").attributes["schedule"] == "evolution"
    assert results[BRANCH].evaluations("ends").iteration.tolist() == [10, 20]
    assert results[RUN].read(Spectra, "step") is spectra


def test_schedules_are_those_at_whose_points_a_measure_was_taken(folder: ResultsFolder) -> None:
    results = folder.results
    assert results[RUN].schedules("spectra") == ["evolution", "step"]
    assert results[RUN].schedules("directions") == []
    assert results[BRANCH].schedules("evaluations") == ["ends"]
    # those of a branch are not those of the run
    assert results[RUN].schedules("evaluations") == []


def test_each_file_is_read_once(folder: ResultsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    from sharpest.results import stored

    opened = []
    real = stored.open_stored
    monkeypatch.setattr(stored, "open_stored", lambda path, layout: opened.append(Path(path)) or real(path, layout))
    tables = []
    read_csv = pd.read_csv
    monkeypatch.setattr(pd, "read_csv", lambda path, **given: tables.append(path) or read_csv(path, **given))
    results = folder.results
    for _ in range(2):
        results[RUN].spectra("step")
        results[RUN].spectra("evolution")
        assert results[RUN].snapshots is results[RUN].snapshots
        assert results[RUN].history is results[RUN].history
    paths = folder.paths
    measured = [paths.measured("spectra", RUN, schedule) for schedule in ("step", "evolution")]
    assert opened == [*measured, paths.snapshots(RUN)]
    assert tables == [paths.history(RUN)]


def test_unreadable_files_are_read_again(folder: ResultsFolder) -> None:
    results, path = folder.results, folder.paths.measured("spectra", RUN, "step")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert "is truncated or damaged" in refusal(lambda: results[RUN].spectra("step"))
    path.write_bytes(whole)
    assert results[RUN].spectra("step").iteration.tolist() == [0, 5]


# --- missing results


def test_a_misspelt_run_gets_the_nearest_id(folder: ResultsFolder) -> None:
    """With the command that makes it, in case the id is a different run."""
    wrong = RUN.replace("lr0.1", "lr0.11")
    for read in (
        lambda: folder.results[wrong].spectra("step"),
        lambda: folder.results[wrong].snapshots,
        lambda: folder.results[wrong].history,
    ):
        message = refusal(read)
        assert message.startswith(f"{folder.paths.folder} has no run {wrong!r}; did you mean {RUN}? Or make it with: ")
        assert message.endswith(f"snakemake --cores all {folder.paths.snapshots(wrong)}")
    assert f"did you mean {BRANCH}?" in refusal(lambda: folder.results[BRANCH.replace("notop", "no-top")].snapshots)


def test_a_very_different_id_gets_no_suggestion(folder: ResultsFolder) -> None:
    assert "did you mean" not in refusal(lambda: folder.results["x"].snapshots)
    assert "make it with: snakemake" in refusal(lambda: folder.results["x"].snapshots)


def test_a_misspelt_schedule_gets_the_nearest_and_the_list_of_all(folder: ResultsFolder) -> None:
    path = folder.paths.measured("spectra", RUN, "setp")
    assert refusal(lambda: folder.results[RUN].spectra("setp")) == (
        f"{path}: does not exist; {RUN} has no spectra of schedule 'setp' (it has evolution, step); did you mean step? "
        f"Or make it with: snakemake --cores all {path}"
    )
    message = refusal(lambda: folder.results[RUN].spectra("grid"))
    assert "(it has evolution, step); make it with: snakemake" in message


def test_a_missing_measure_is_refused_with_the_way_to_take_it(folder: ResultsFolder) -> None:
    path = folder.paths.measured("directions", RUN, "step")
    message = refusal(lambda: folder.results[RUN].read(Directions, "step"))
    assert message.endswith(
        f"has no directions of schedule 'step' (it has none); make it with: snakemake --cores all {path}"
    )


def test_measurements_outlive_the_states(folder: ResultsFolder) -> None:
    """States are large and may have been deleted; another schedule is still compared with the existing ones."""
    folder.paths.snapshots(RUN).unlink()
    assert folder.results[RUN].spectra("step").iteration.tolist() == [0, 5]
    assert "did you mean step?" in refusal(lambda: folder.results[RUN].spectra("steps"))


@pytest.mark.parametrize("name", ["spectrum", "point", "driver", "_spectra", "__len__"])
def test_an_unknown_measure_is_not_an_attribute(folder: ResultsFolder, name: str) -> None:
    """Nor is a module beside the measures."""
    run = folder.results[RUN]
    assert not hasattr(run, name)
    with pytest.raises(AttributeError, match=f"not '{name}'"):
        getattr(run, name)


def test_a_missing_scale_is_named_with_the_existing_ones(folder: ResultsFolder, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "a file").touch()
    assert (
        refusal(lambda: open_results(tmp_path, "quikc"))
        == f"{tmp_path}/quikc does not exist; {tmp_path} has quick, small"
    )
    nowhere = tmp_path / "nowhere"
    assert refusal(lambda: open_results(nowhere, "quick")) == f"{nowhere}/quick does not exist; {nowhere} has no scale"


@pytest.mark.parametrize(("step", "age"), [(1, "a newer"), (-1, "an older")])
def test_a_file_of_another_version_is_one_line(folder: ResultsFolder, step: int, age: str) -> None:
    """One line that names the file, both versions and the remedy."""
    for measure in measure_names():
        layout = declared(measure).layout
        folder.write_measure(measure, RUN, "step", SIZES, {})
        path = folder.paths.measured(measure, RUN, "step")
        with changed(path) as file:
            file.attrs["version"] = layout.version + step
        message = refusal(lambda measure=measure: getattr(folder.results[RUN], measure)("step"))
        assert message == (
            f"{path}: was written by {age} version of the code: {measure} version {layout.version + step}, this "
            f"one reads {layout.version}; delete it and run snakemake again to make step.h5"
        )
    with changed(folder.paths.snapshots(RUN)) as file:
        file.attrs["version"] = SNAPSHOTS.version + step
    assert f"was written by {age} version of the code: snapshots" in refusal(lambda: folder.results[RUN].snapshots)


# --- the package itself


def test_the_package_opens_a_scale(folder: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(sharpest.results(tmp_path, scale="quick")) == [RUN, BRANCH, OTHER]
    assert list(sharpest.results(str(tmp_path))) == [RUN, BRANCH, OTHER]
    (tmp_path / "elsewhere/results").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert refusal(sharpest.results) == "results has no scale; choose one with --scale, in Python with scale=..."


@pytest.mark.parametrize(
    "code",
    [
        "import sharpest",
        "import sharpest, sharpest.results",
        "import sharpest.results.file, sharpest",
        "import sharpest; sharpest.results; import sharpest.results.runs",
        "import sharpest; import sharpest.results.stored as stored",
        "import sharpest; from sharpest.results import runs, paths",
        "import sharpest; from sharpest.measures.opening import open_point",
    ],
)
def test_it_is_a_package_and_a_function_whatever_was_imported(folder: ResultsFolder, tmp_path: Path, code: str) -> None:
    code += (
        f"; print(len(list(sharpest.results({str(tmp_path)!r}))))"
        "; import sharpest.results.file; print(callable(sharpest.results), sharpest.results.file.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "True", "sharpest.results.file"]


def test_reading_results_imports_no_torch(folder: ResultsFolder, tmp_path: Path) -> None:
    """Importing torch takes seconds, and drawing does not need it."""
    code = (
        f"import sys, sharpest; run = sharpest.results({str(tmp_path)!r})[{RUN!r}]; run.spectra('step').to_frame(); "
        "run.history; run.snapshots; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


# --- numbers of a history


def cells(path: Path) -> np.ndarray:
    """The numbers as Python reads them."""
    with open(path, newline="") as file:
        return np.array([[float(value) for value in row.values()] for row in csv.DictReader(file)])


def test_a_history_has_the_exact_numbers_of_the_run(tmp_path: Path) -> None:
    """To the last bit, including non-finite numbers."""
    for changes in ({}, {"lr": 1e30}):
        run = Run(tmp_path / str(len(changes)), run_settings(momentum=0.5, **changes)).train()
        history = Results(run.paths.folder)[run.settings.run].history
        assert history.to_numpy().tobytes() == cells(run.history).tobytes()
    assert np.isnan(history["val_loss"]).any()


def test_any_number_is_read_to_the_last_bit(folder: ResultsFolder) -> None:
    """Random bits, fractions and losses, in the format of a run."""
    rng = np.random.default_rng(0)
    values = np.concatenate([
        rng.integers(0, 2**64, 20_000, dtype=np.uint64).view("f8"),
        rng.integers(0, 5_000, 20_000) / rng.integers(5_000, 10_000, 20_000),
        rng.lognormal(0, 3, 20_000).astype("f4").astype("f8"),
    ])  # fmt: skip
    values = values[np.isfinite(values)]
    path = folder.paths.history(RUN)
    path.write_text("val_accuracy\n" + "".join(f"{value!r}\n" for value in values.tolist()))
    write_record(folder.paths, [path], {})
    assert cells(path).ravel().tobytes() == values.tobytes()
    assert folder.results[RUN].history["val_accuracy"].to_numpy().tobytes() == values.tobytes()
