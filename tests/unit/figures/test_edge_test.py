"""The edge test: spikes against each candidate divided by the edge, and the pooled ROC curve of all seeds."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from edge_tests import EDGE, write_edge_test
from numpy.testing import assert_allclose
from printed import check_column

from sharpest.config.studies import EdgeTestStudy
from sharpest.errors import ConfigError
from sharpest.figures.edge_test import draw
from sharpest.figures.widths import INCHES

SPIKES = [[1, 1], [1, 2], [1, 10], [10, 100], [1, 100], [100, np.inf]]
SCATTERS = ["iteration", "λ₁", "batch sharpness", "ratio of means", "GNI", "critical sharpness"]
RUNS = {"fcn-c10-sgd-lr0.1-S4-mse-s1": "S = 4", "fcn-c10-sgd-lr0.1-S16-m0.9-mse-s1": "S = 16, β = 0.9"}
TITLES = [*SCATTERS, "ROC", "area under the ROC"]


def run_of(seed: int = 1) -> str:
    return f"fcn-c10-sgd-lr0.1-S4-mse-s{seed}"


def study() -> EdgeTestStudy:
    rows = [{"run": run_of(), "schedule": "test", "label": "S = 4"}]
    return EdgeTestStudy.model_validate({"kind": "edge_test", "caption": "", "rows": rows})


def test_spikes_are_drawn_against_candidates_divided_by_the_edge(folder: Any) -> None:
    write_edge_test(folder, run_of(), "test", SPIKES, gni=[1, 2, np.nan, 4, 5, 6])
    figure, table = draw(study(), folder.inputs(), "")
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"S = 4: {title}" for title in TITLES]
    for title in SCATTERS:
        panel = table[table["panel"] == f"S = 4: {title}"]
        rows = [0, 1, 3, 4, 5] if title == "GNI" else range(6)
        for place, arm in enumerate(("η × 1.5", "S × 0.5")):
            points = panel[panel["series"] == arm]
            x = [10 * row if title == "iteration" else (row + 1) / EDGE for row in rows]
            expected = [[at, SPIKES[row][place]] for at, row in zip(x, rows, strict=True)]
            assert_allclose(points[["x", "y"]], expected)
    foot = " ".join(figure.notes)
    assert "Not drawn: points without a finite candidate, or whose unchanged arm diverged (S = 4: 2 of 72)" in foot


def test_diverged_arms_are_drawn_at_the_top(folder: Any) -> None:
    write_edge_test(folder, run_of(), "test", SPIKES)
    figure, _ = draw(study(), folder.inputs(), "")
    heights = figure.axes[0].collections[1].get_offsets()[:, 1]
    assert heights[-1] == 300
    assert heights[-2] == 100


def test_areas_are_of_all_points_and_arms_and_of_each_arm(folder: Any) -> None:
    write_edge_test(folder, run_of(), "test", SPIKES)
    figure, table = draw(study(), folder.inputs(), "")
    roc = table[table["panel"] == "S = 4: ROC"].set_index("series")
    # catapults at 3, 4, 4, 5, 6 and 6, none at 1, 1, 2, 2, 3 and 5
    assert roc.loc["λ₁: area", "y"] == pytest.approx((4.5 + 5 + 5 + 5.5 + 6 + 6) / 36)
    assert roc.loc["λ₁: area", "low"] < roc.loc["λ₁: area", "y"] < roc.loc["λ₁: area", "high"]
    assert roc.loc["λ₁, η × 1.5: area", "y"] == pytest.approx((3 + 4) / 8)
    assert roc.loc["λ₁, S × 0.5: area", "y"] == 1
    assert_allclose(roc.loc["λ₁", ["x", "y"]].to_numpy()[[0, -1]], [[0, 0], [1, 1]])
    labels = [text.get_text() for text in figure.axes[-2].get_legend().get_texts()]
    assert labels[1].startswith("λ₁ 0.89 (")
    assert len(labels) == 6


def test_areas_are_drawn_against_the_catapult_threshold(folder: Any) -> None:
    """At ten and more, areas are those of spikes above ten; if no spike counts, there is no area."""
    write_edge_test(folder, run_of(), "test", SPIKES)
    _, table = draw(study(), folder.inputs(), "")
    panel = table[(table["panel"] == "S = 4: area under the ROC") & (table["series"] == "λ₁")]
    assert panel["x"].iloc[0] == pytest.approx(1.25)
    above = panel[panel["x"] > 10]["y"]
    # 4, 5, 6 and 6 against 1, 1, 2, 2, 3, 3, 4 and 5
    assert_allclose(above, (6.5 + 7.5 + 8 + 8) / 32)
    write_edge_test(folder, run_of(), "test", np.ones((3, 2)))
    _, table = draw(study(), folder.inputs(), "")
    assert not (table["panel"] == "S = 4: area under the ROC").any()


def test_seeds_are_pooled(folder: Any) -> None:
    write_edge_test(folder, run_of(1001), "test", [[1, 1], [1, 1]], eigenvalues=[1, 2])
    write_edge_test(folder, run_of(1002), "test", [[10, 10], [10, 10]], eigenvalues=[3, 4])
    figure, table = draw(study().of_seeds((1001, 1002)), folder.inputs(), "")
    area = table[table["series"] == "λ₁: area"]
    assert area["run"].tolist() == ["seeds 1001, 1002"]
    assert area["y"].tolist() == [1]
    assert "resampled seeds (1001, 1002)" in " ".join(figure.notes)


def test_with_momentum_the_edge_of_small_batches_is_marked(folder: Any) -> None:
    write_edge_test(folder, run_of(), "test", SPIKES, momentum=0.9)
    figure, table = draw(study(), folder.inputs(), "")
    dotted = [line for line in figure.axes[1].lines if line.get_linestyle() == ":"]
    assert len(figure.axes[1].lines) == 2  # the factor, and no full-batch edge, which is far away
    assert dotted[0].get_xdata()[0] == pytest.approx(0.1 / 1.9)
    assert table[table["panel"] == "S = 4: λ₁"]["x"].iloc[0] == pytest.approx(1 / (1.9 * EDGE))


def test_a_run_without_catapults_has_no_roc(folder: Any) -> None:
    write_edge_test(folder, run_of(), "test", np.ones((3, 2)))
    figure, _ = draw(study(), folder.inputs(), "")
    assert [text.get_text() for text in figure.axes[-2].texts] == ["no finite measurement"]


@pytest.mark.slow
@pytest.mark.parametrize("width", INCHES)
def test_it_fits_a_column(width: str, folder: Any, tmp_path: Path) -> None:
    rows = [{"run": run, "schedule": "test", "label": label} for run, label in RUNS.items()]
    both = EdgeTestStudy.model_validate({"kind": "edge_test", "caption": "", "rows": rows})
    for run in RUNS:
        write_edge_test(folder, run, "test", SPIKES, momentum=0.9 if "m0.9" in run else 0.0)
    check_column(*draw(both, folder.inputs(), ""), width, tmp_path)


def test_it_requires_every_candidate() -> None:
    measures: dict[str, Any] = {"gradient_sample": SimpleNamespace(full_curvature_batches=0)}
    schedule = SimpleNamespace(name="test", points=[0], window=None, measures=measures)
    with pytest.raises(ConfigError, match=r"schedules.test does not take interventions"):
        study().check(study().inputs()[0], schedule)
    measures |= dict.fromkeys(("interventions", "spectra", "critical"))
    with pytest.raises(ConfigError, match="full_curvature_batches to at least 1"):
        study().check(study().inputs()[0], schedule)
