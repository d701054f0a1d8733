"""Eigenvalue and loss of branches, compared with the numbers in their snapshots."""

from typing import Any

import numpy as np
from matplotlib.colors import to_rgb

from sharpest.config.studies import NamedRun, RestrictedPanel, RestrictedSteps
from sharpest.figures.canvas import BLUE, GREEN, OTHERS, RED
from sharpest.figures.lines import restricted_steps as draw

from .conftest import by_title


def _run(label: str) -> str:
    return f"run@e4/{label}"


def _curves(labels: str) -> tuple[NamedRun, ...]:
    return tuple(NamedRun(run=_run(label), label=label) for label in labels)


PANELS = (
    RestrictedPanel(title="P", curves=_curves("abcd")),
    RestrictedPanel(title="Q", curves=_curves("eaf"), graded=True),
)


def _study(*panels: RestrictedPanel) -> RestrictedSteps:
    return RestrictedSteps(kind="restricted_steps", caption="", panels=panels)


def test_lines_are_eigenvalue_and_loss_since_the_branch(folder: Any) -> None:
    for index, label in enumerate("abcdef"):
        folder.snapshots(_run(label), r=6 - index)
    figure, table = draw(_study(*PANELS), folder.inputs(), "")
    assert list(by_title(figure)) == [
        "P: largest eigenvalue", "P: training loss", "Q: largest eigenvalue", "Q: training loss"
    ]  # fmt: skip
    for title, axes in by_title(figure).items():
        rows = table[table["panel"] == title]
        assert np.array_equal(np.concatenate([line.get_xydata() for line in axes.lines]), rows[["x", "y"]])
    # refreshes are at iterations 40, 41, … with eigenvalues (2, 1) * n + 0.1 and losses 2 / n
    for title, expected in (("Q: largest eigenvalue", [2.1, 4.1]), ("Q: training loss", [2, 1])):
        rows = table[(table["panel"] == title) & (table["series"] == "e")]
        assert rows["x"].tolist() == [0, 1]
        assert np.allclose(rows["y"], expected)
        assert set(rows["run"]) == {"run@e4/e"}
    # a run in two panels is the same in both
    first, second = (table[(table["panel"] == title) & (table["series"] == "a")] for title in (
        "P: training loss", "Q: training loss"
    ))  # fmt: skip
    assert np.array_equal(first[["x", "y"]], second[["x", "y"]])


def test_colours_of_variants_and_of_scales(folder: Any) -> None:
    for label in "abcdef":
        folder.snapshots(_run(label))
    figure, _ = draw(_study(*PANELS), folder.inputs(), "")
    variants, _, scales, _ = figure.axes
    assert [line.get_color() for line in variants.lines] == [BLUE, OTHERS[0], GREEN, RED]
    redness = [to_rgb(line.get_color())[0] - to_rgb(line.get_color())[2] for line in scales.lines]
    assert redness == sorted(redness)
    assert redness[0] < 0 < redness[-1]


def test_unmeasured_values_are_skipped_one_by_one(folder: Any) -> None:
    eigenvalues, loss = np.ones((6, 2)), np.ones(6)
    eigenvalues[2], loss[3:5] = np.nan, np.nan
    folder.snapshots(_run("a"), eigenvalues=eigenvalues, refresh_loss=loss)
    _, table = draw(_study(RestrictedPanel(title="P", curves=_curves("a"))), folder.inputs(), "")
    assert table.groupby("panel")["x"].agg(list).to_dict() == {
        "P: largest eigenvalue": [0, 1, 3, 4, 5],
        "P: training loss": [0, 1, 2, 5],
    }


def test_divergence_is_named_in_iterations_since_the_branch(folder: Any) -> None:
    folder.snapshots(_run("a"), diverged=46)
    folder.snapshots(_run("b"), r=0, diverged=40)
    figure, table = draw(_study(RestrictedPanel(title="P", curves=_curves("ab"))), folder.inputs(), "")
    for axes in figure.axes:
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert labels[0] == "a, diverged at iteration 6"
        assert labels[1].startswith("b: no finite measurement, diverged at iteration")
    assert set(table["run"]) == {"run@e4/a"}
