"""What holds for every kind of figure: with one seed and with several, with diverged runs, and without any point."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from numpy.testing import assert_allclose
from printed import check_column
from tiers import fast

from sharpest.config.studies import KINDS, Curve, Study
from sharpest.figures.canvas import Canvas
from sharpest.figures.widths import INCHES

from .conftest import Folder

SEEDS = (1001, 1002, 1003)
TRUNK, RUN, END = "scnn-c10-sgd-lr0.1-S128-s777", "scnn-c10-sgd-lr0.5-S128-s777", "scnn-c10-sgd-lr0.9-S128-s777"
GRID = np.array([-8.0, -5.0, -2.0, 0.0, 2.0, 5.0, 8.0])
CURVE = {"run": RUN, "label": "one", "schedule": "step"}
MEAN = "mean of 1001, 1002, 1003"

STUDIES: dict[str, dict[str, Any]] = {
    "alignment": {"panels": [{"title": "P", "curves": [CURVE]}], "smoothing": 2},
    "eigenvector_drift": {"rows": [CURVE], "num_eigenvectors": 2},
    "first_stage": {"trunk": {**CURVE, "run": TRUNK}, "branches": [CURVE], "smoothing": 1},
    "largest_eigenvalues": {
        "rows": [[{"title": "P", "curves": [CURVE]}]], "num_eigenvalues": 2, "scale": "log", "composite": True
    },
    "learning_curves": {"panels": [CURVE]},
    "measured": {
        "panels": [{"title": "P", "measure": "spectra", "column": "eigenvalues", "index": [0], "curves": [CURVE]}]
    },
    "nsgd_curves": {
        "schedule": "step",
        "panels": [
            {"title": name, "quantity": name, "lines": [{"label": "one", "runs": [RUN]}]}
            for name in ("accuracy", "lambda_max", "curvature")
        ],
        "end_points": {
            "title": "ends", "xlabel": "K",
            "points": [{"label": "one", "x": 1, "runs": [END]}, {"label": "two", "x": 4, "runs": [RUN]}],
            "baseline": {"label": "SGD", "runs": [END]},
        },
    },
    "restricted_steps": {"panels": [{"title": "P", "curves": [{"run": RUN, "label": "one"}]}]},
    "spectral_density": {"panels": [CURVE], "width": 0.05},
    "spectrum_evolution": {"rows": [CURVE], "num_eigenvalues": 3, "accuracy": True, "steps_axis": True},
    "step_surface": {
        "rows": [{**CURVE, "change_limit": 50}], "direction": 1, "alphas": [0.5, 2], "grid_limit": 5, "layout": "row"
    },
}  # fmt: skip


def _study(kind: str, *seeds: int) -> Study:
    return KINDS[kind].model_validate({"kind": kind, "caption": "", **STUDIES[kind]}).of_seeds(seeds)


def _write(folder: Folder, diverged: Mapping[int, float], t: int, missed: int) -> None:
    """Files of each seed, with numbers multiplied by 1, 1.5 and 2.5; the first eigenvalue misses at the last points."""
    time = np.arange(float(t))
    converged = np.ones((t, 3), dtype=bool)
    converged[t - missed :, 0] = False
    for seed, factor in zip(SEEDS, (1.0, 1.5, 2.5), strict=True):
        for run in (TRUNK, RUN, END):
            run = run.replace("s777", f"s{seed}")
            curve, end = Curve(run=run, label="", schedule="step"), diverged.get(seed)
            eigenvalues = factor * ((time[:, None] + 1) * np.arange(3, 0, -1) + 0.1)
            accuracies = {f"{part}_accuracy": factor * (0.1 + 0.03 * time) for part in ("train", "val")}
            vectors = np.linalg.qr(np.random.default_rng(seed).normal(size=(t, 50, 3)))[0].transpose(0, 2, 1)
            own = {"eigenvalues": eigenvalues, "eigenvectors": vectors.astype("f4"), "converged": converged}
            folder.spectra(curve, t=t, diverged=end, **own, **accuracies)
            weights = np.array([[0.1 * factor, 0.9 - 0.1 * factor, 0.1]])
            folder.density(curve, t=t, weights=np.tile(weights, (t, 2, 1)), lambda_max=time + 3)
            profile = np.broadcast_to(factor * (1 + 0.01 * GRID), (t, 5, len(GRID)))
            loss, cosine = factor * (2 - 0.1 * time), np.full((t, 5), 0.1 * factor)
            folder.directions(curve, t=t, loss=loss, cosine=cosine, profile=profile)
            r, last = (6, 4) if t else (0, 0)
            flags = np.arange(r)[:, None] < [r - missed, r]
            stopped = -1 if end is None else 44
            folder.snapshots(run, r=r, eigenvalues=factor * np.ones((r, 2)), converged=flags, diverged=stopped)
            epoch = np.arange(1, last + 1)
            folder.history(run, last=last, val_accuracy=factor * epoch / 10, train_accuracy=factor * epoch / 9)
            folder.evaluations(run, test_accuracy=[0.3 * factor, 0], frobenius=[factor, 0], diverged=end)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Folder]:
    """A folder with the files of all seeds, made once for each choice of what is wrong with them."""
    made: dict[Any, Folder] = {}

    def of(diverged: Mapping[int, float] | None = None, t: int = 8, missed: int = 0) -> Folder:
        key = tuple((diverged or {}).items()), t, missed
        if key not in made:
            made[key] = Folder(tmp_path_factory.mktemp("results") / "quick")
            _write(made[key], diverged or {}, t, missed)
        return made[key]

    return of


def _drawn(folder: Folder, kind: str, *seeds: int) -> tuple[Canvas, pd.DataFrame]:
    study = _study(kind, *seeds)
    windows = dict.fromkeys(study.curves_by_seed(), 2.0)
    module, _, name = study.made_by.partition(":")
    drawn: tuple[Canvas, pd.DataFrame] = getattr(import_module(f"sharpest.{module}"), name)(
        study, folder.inputs(windows), "reduced"
    )
    return drawn


def _single(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    rows = table[table["run"].str.endswith(f"-s{seed}")]
    return rows.drop(columns="deviation", errors="ignore").reset_index(drop=True)


def _texts(figure: Canvas) -> str:
    legends = [axes.get_legend() for axes in figure.axes]
    labels = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    return " ".join(" ".join([*labels, "\n".join(figure.notes)]).split())


def test_all_kinds_are_tested() -> None:
    apart = {"edge_test", "full_batch_edge", "phase_diagram"}  # with tests with seeds of their own
    assert {name for name, kind in KINDS.items() if not kind.is_table} == set(STUDIES) | apart


@pytest.mark.parametrize("kind", STUDIES)
def test_seeds_are_drawn_as_alone_with_their_means(written: Callable[..., Folder], kind: str) -> None:
    folder = written()
    figure, table = _drawn(folder, kind, *SEEDS)
    assert "means over 3 seeds" in _texts(figure)

    alone, points = _drawn(folder, kind, 1002)
    assert "over 3 seeds" not in _texts(alone)
    assert "deviation" not in points
    by_series = {"by": ["panel", "series"], "kind": "stable", "ignore_index": True}
    pd.testing.assert_frame_equal(
        _single(table, 1002).sort_values(**by_series), _single(points, 1002).sort_values(**by_series)
    )

    series = table.loc[table["run"].str.startswith("scnn"), ["panel", "series"]].drop_duplicates()
    assert len(series) == len(table.loc[table["run"] == MEAN, ["panel", "series"]].drop_duplicates())
    for _, (panel, name) in series.iterrows():
        rows = table[(table["panel"] == panel) & (table["series"] == name)]
        means = rows[rows["run"] == MEAN]
        value = "z" if "z" in rows and rows["z"].notna().all() else "y"
        singles = np.array([_single(rows, seed)[value] for seed in SEEDS])
        assert_allclose(means[value], singles.mean(axis=0), err_msg=f"{panel}, {name}")
        assert_allclose(means["deviation"], singles.std(axis=0, ddof=1), atol=1e-15, err_msg=f"{panel}, {name}")
        assert rows.loc[rows["run"] != MEAN, "deviation"].isna().all()


@pytest.mark.parametrize("kind", fast(STUDIES, "alignment", "nsgd_curves", "restricted_steps", "step_surface"))
def test_a_seed_that_diverged_is_named_and_in_no_mean(written: Callable[..., Folder], kind: str) -> None:
    folder = written({1002: 3.5})
    figure, table = _drawn(folder, kind, *SEEDS)
    assert "seed 1002 diverged at" in _texts(figure)
    names = set(table.loc[table["run"].str.startswith("mean"), "run"])
    assert names == {"mean of 1001, 1003"}


@pytest.mark.parametrize("kind", STUDIES)
def test_runs_without_a_point_leave_empty_panels_that_say_so(written: Callable[..., Folder], kind: str) -> None:
    folder = written(dict.fromkeys(SEEDS, 0.0), t=0)
    figure, table = _drawn(folder, kind, SEEDS[0])
    assert table.empty
    assert "diverged at" in _texts(figure)
    empty = [axes for axes in figure.axes if "no finite measurement" in [text.get_text() for text in axes.texts]]
    assert len(empty) == sum(not axes.axison for axes in figure.axes if axes.name != "3d") + _num_3d(figure)
    assert {axes.get_title(loc="left") for axes in empty} == {axes.get_title(loc="left") for axes in figure.axes}


def _num_3d(figure: Canvas) -> int:
    return sum(axes.name == "3d" for axes in figure.axes)


MISSED = {
    "eigenvector_drift": "one: 2 of 16",
    "first_stage": "one: 2 of 8",
    "largest_eigenvalues": "P: 2 of 16",
    "measured": "P: 2 of 8",
    "nsgd_curves": "lambda_max: 2 of 8; curvature: 2 of 8",
    "restricted_steps": "P: 2 of 6",
    "spectrum_evolution": "one: 2 of 24",
}
"""Kind -> the count of eigenvalues above the solver's tolerance among those drawn, each once."""


@pytest.mark.parametrize("kind", STUDIES)
def test_missed_tolerance_is_circled_and_counted_once(written: Callable[..., Folder], kind: str) -> None:
    folder = written(missed=2)
    figure, table = _drawn(folder, kind, SEEDS[0])
    assert ("solver's tolerance" in _texts(figure)) == (kind in MISSED)
    if kind in MISSED:
        assert f"solver's tolerance ({MISSED[kind]})." in _texts(figure)
        circles = [each for axes in _all_axes(figure) for each in axes.collections
                   if isinstance(each, PathCollection) and not len(each.get_facecolor())]  # fmt: skip
        places = {tuple(place) for each in circles for place in np.asarray(each.get_offsets()).tolist()}
        assert places
        assert places <= set(zip(table["x"], table["y"], strict=True))


@pytest.mark.parametrize("kind", [kind for kind in STUDIES if kind not in ("step_surface", "eigenvector_drift")])
def test_every_point_of_the_table_is_drawn(written: Callable[..., Folder], kind: str) -> None:
    folder = written()
    figure, table = _drawn(folder, kind, SEEDS[0])
    drawn: set[tuple[float, float]] = set()
    for axes in _all_axes(figure):
        for points in [line.get_xydata() for line in axes.lines] + [each.get_offsets() for each in axes.collections]:
            drawn |= set(map(tuple, np.asarray(points).tolist()))
    assert set(zip(table["x"], table["y"], strict=True)) <= drawn


def _all_axes(figure: Canvas) -> list[Any]:
    return [each for axes in figure.axes for each in (axes, *axes.child_axes) if hasattr(each, "lines")]


def test_several_diverged_seeds_are_counted_and_named_in_the_notes(
    written: Callable[..., Folder],
) -> None:
    folder = written({1001: 2.0, 1002: 3.5})
    figure, _ = _drawn(folder, "measured", *SEEDS)
    assert "2 of 3 seeds diverged" in _texts(figure)
    assert "s1001 diverged at epoch 2" in _texts(figure)
    assert "s1002 diverged at epoch 3.5" in _texts(figure)


def test_profiles_are_oriented_per_seed_before_averaging(folder: Any) -> None:
    """Otherwise tilts of opposite sign would cancel."""
    for seed, tilt in zip(SEEDS, (0.01, -0.01, 0.01), strict=True):
        curve = Curve(run=RUN.replace("s777", f"s{seed}"), label="", schedule="step")
        folder.spectra(curve, t=1)
        profile = np.broadcast_to(1 + tilt * GRID, (1, 5, 7))
        folder.directions(curve, t=1, loss=[3.0], profile=profile)
    _, table = _drawn(folder, "step_surface", *SEEDS)
    means = table[(table["run"] == MEAN) & table["z"].notna()]
    assert means["x"].tolist() == [-5, -2, 0, 2, 5]
    assert_allclose(means["z"], 1 + 0.01 * means["x"])
    assert_allclose(means["deviation"], 0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("width", INCHES)
@pytest.mark.parametrize("kind", STUDIES)
def test_every_kind_fits_a_column(kind: str, width: str, written: Callable[..., Folder], tmp_path: Path) -> None:
    folder = written({1002: 2.0})
    figure, table = _drawn(folder, kind, *SEEDS)
    check_column(figure, table, width, tmp_path)
