"""Every kind of figure with three seeds: each seed as drawn alone, and mean and deviation of these numbers."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from printed import check_column

from sharpest.config.studies import KINDS, Curve, Study
from sharpest.figures.canvas import NotedFigure
from sharpest.figures.widths import INCHES

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
        "panels": [{"title": "P", "measure": "spectra", "column": "eigenvalues", "index": [1], "curves": [CURVE]}]
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
    "spectrum_evolution": {"rows": [CURVE], "num_eigenvalues": 3, "accuracy": True},
    "step_surface": {
        "rows": [{**CURVE, "change_limit": 50}], "direction": 1, "alphas": [0.5, 2], "grid_limit": 5, "layout": "row"
    },
}  # fmt: skip


def _study(kind: str, *seeds: int) -> Study:
    return KINDS[kind].model_validate({"kind": kind, "caption": "", **STUDIES[kind]}).of_seeds(seeds)


def _write(folder: Any, diverged: dict[int, float]) -> None:
    """Files of each seed, with numbers multiplied by 1, 1.5 and 2.5."""
    time = np.arange(8.0)
    for seed, factor in zip(SEEDS, (1.0, 1.5, 2.5), strict=True):
        for run in (TRUNK, RUN, END):
            run = run.replace("s777", f"s{seed}")
            curve, end = Curve(run=run, label="", schedule="step"), diverged.get(seed)
            eigenvalues = factor * ((time[:, None] + 1) * np.arange(3, 0, -1) + 0.1)
            accuracies = {f"{part}_accuracy": factor * (0.1 + 0.03 * time) for part in ("train", "val")}
            vectors = np.linalg.qr(np.random.default_rng(seed).normal(size=(8, 50, 3)))[0].transpose(0, 2, 1)
            folder.spectra(
                curve, diverged=end, eigenvalues=eigenvalues, eigenvectors=vectors.astype("f4"), **accuracies
            )
            weights = np.array([[0.1 * factor, 0.9 - 0.1 * factor, 0.1]])
            folder.density(curve, weights=np.tile(weights, (8, 2, 1)))
            profile = np.broadcast_to(factor * (1 + 0.01 * GRID), (8, 5, len(GRID)))
            loss, cosine = factor * (2 - 0.1 * time), np.full((8, 5), 0.1 * factor)
            folder.directions(curve, loss=loss, cosine=cosine, profile=profile)
            folder.snapshots(run, eigenvalues=factor * np.ones((6, 2)), diverged=-1 if end is None else 44)
            folder.history(run, val_accuracy=factor * np.arange(1, 5) / 10, train_accuracy=factor * np.arange(1, 5) / 9)
            folder.evaluations(run, test_accuracy=[0.3 * factor, 0], frobenius=[factor, 0], diverged=end)


def _drawn(folder: Any, kind: str, *seeds: int) -> tuple[NotedFigure, pd.DataFrame]:
    study = _study(kind, *seeds)
    windows = dict.fromkeys(study.curves_by_seed(), 2.0)
    module, _, name = study.made_by.partition(":")
    drawn: tuple[NotedFigure, pd.DataFrame] = getattr(import_module(f"sharpest.{module}"), name)(
        study, folder.inputs(windows), "reduced"
    )
    return drawn


def _single(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    rows = table[table["run"].str.endswith(f"-s{seed}")]
    return rows.drop(columns="deviation", errors="ignore").reset_index(drop=True)


def _texts(figure: NotedFigure) -> str:
    legends = [axes.get_legend() for axes in figure.axes]
    labels = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    return " ".join(" ".join([*labels, "\n".join(figure.notes)]).split())


def test_all_kinds_are_tested() -> None:
    apart = {"edge_test", "full_batch_edge", "phase_diagram"}  # with tests with seeds of their own
    assert {name for name, kind in KINDS.items() if not kind.is_table} == set(STUDIES) | apart


@pytest.mark.parametrize("kind", STUDIES)
def test_seeds_are_drawn_as_alone_with_their_means(folder: Any, kind: str) -> None:
    _write(folder, {})
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


@pytest.mark.parametrize("kind", STUDIES)
def test_a_seed_that_diverged_is_named_and_in_no_mean(folder: Any, kind: str) -> None:
    _write(folder, {1002: 3.5})
    figure, table = _drawn(folder, kind, *SEEDS)
    assert "seed 1002 diverged at" in _texts(figure)
    names = set(table.loc[table["run"].str.startswith("mean"), "run"])
    assert names == {"mean of 1001, 1003"}


def test_several_diverged_seeds_are_counted_in_the_legend_and_named_in_the_notes(folder: Any) -> None:
    _write(folder, {1001: 2.0, 1002: 3.5})
    figure, _ = _drawn(folder, "measured", *SEEDS)
    assert "2 of 3 seeds diverged" in _texts(figure)
    assert "s1001 diverged at epoch 2" in _texts(figure)
    assert "s1002 diverged at epoch 3.5" in _texts(figure)


def test_two_seeds_have_their_accuracies_averaged_in_both_coordinates(folder: Any) -> None:
    _write(folder, {})
    _, table = _drawn(folder, "alignment", *SEEDS)
    x = np.array([_single(table, seed)["x"] for seed in SEEDS])
    assert_allclose(table.loc[table["run"] == MEAN, "x"], x.mean(axis=0))
    assert not np.allclose(x[0], x[1])


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
def test_every_kind_fits_a_column(kind: str, width: str, folder: Any, tmp_path: Path) -> None:
    _write(folder, {1002: 2.0})
    figure, table = _drawn(folder, kind, *SEEDS)
    check_column(figure, table, width, tmp_path)
