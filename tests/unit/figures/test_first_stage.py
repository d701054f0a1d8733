"""Curves that branch off a trunk, compared with numbers worked out by hand."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from sharpest.config.studies import Curve, FirstStage
from sharpest.figures.canvas import Canvas
from sharpest.figures.lines import first_stage as draw

from .conftest import series_of

TRUNK, *BRANCHES = (Curve(run=f"run-{label}", schedule="epochs", label=label) for label in ("trunk", "L1", "L2"))


def _study(smoothing: int = 1, num_branches: int = 2) -> FirstStage:
    branches = tuple(BRANCHES[:num_branches])
    return FirstStage(kind="first_stage", caption="", trunk=TRUNK, branches=branches, smoothing=smoothing)


def _axes(figure: Canvas) -> dict[str, Axes]:
    curvature, accuracy, rate, norm = figure.axes
    return {"curvature": curvature, "norm": norm, "accuracy": accuracy, "learning rate": rate}


@pytest.fixture
def branched(folder: Any) -> Any:
    """Epochs of 20 iterations: a trunk of four epochs, and branches after one and two of them."""
    for first, curve in enumerate((TRUNK, *BRANCHES)):
        epochs = np.arange(first, 5)
        eigenvalues = 100 * first + np.tile([3, 4], (len(epochs), 1))
        folder.spectra(curve, t=len(epochs), k=2, iteration=20 * epochs, epoch=epochs, eigenvalues=eigenvalues)
    folder.history(TRUNK.run)
    folder.history(BRANCHES[0].run, first=2, lr=0.01, train_accuracy=0.5)
    folder.history(BRANCHES[1].run, first=3, lr=0.01, train_accuracy=0.6)
    return folder


def test_curvature_is_the_trunk_up_to_the_branch_and_the_branch_from_there(branched: Any) -> None:
    _, table = draw(_study(), branched.inputs(), "")
    for label, start, value in (("L1", 1, 100), ("L2", 2, 200)):
        rows = series_of(table, "curvature", f"{label}, lambda_max")
        assert rows["x"].tolist() == [0, 1, 2, 3, 4]
        assert rows["y"].tolist() == [3] * start + [value + 3] * (5 - start)
        assert rows["run"].tolist() == ["run-trunk"] * start + [f"run-{label}"] * (5 - start)
        norms = series_of(table, "curvature", f"{label}, frobenius")
        assert np.allclose(norms["y"], [5] * start + [np.hypot(value + 3, value + 4)] * (5 - start))


def test_learning_rate_steps_where_the_branch_begins(branched: Any) -> None:
    figure, table = draw(_study(), branched.inputs(), "")
    for index, (label, start) in enumerate((("L1", 1), ("L2", 2))):
        rows = series_of(table, "learning rate", label)
        # a row at the end of an epoch gives the rate from the start of the epoch
        assert rows["x"].tolist() == [0, 1, 2, 3, 4]
        assert rows["y"].tolist() == [0.1] * (1 + start) + [0.01] * (4 - start)
        line = _axes(figure)["learning rate"].lines[index]
        assert line.get_drawstyle() == "steps-pre"


def test_accuracies_are_means_over_epochs_in_per_cent(branched: Any) -> None:
    _, table = draw(_study(smoothing=3), branched.inputs(), "")
    # the first branch trains at 10, 50, 50, 50 % in epochs 1 to 4, and validates at 8, 16, 24, 32 %
    training = series_of(table, "accuracy", "L1, train_accuracy")
    assert training["x"].tolist() == [2, 3]
    assert np.allclose(training["y"], [110 / 3, 50])
    assert training["run"].tolist() == ["run-L1", "run-L1"]
    assert np.allclose(series_of(table, "accuracy", "L1, val_accuracy")["y"], [16, 24])
    # the centre of the first mean of the second branch is an epoch of the trunk
    assert series_of(table, "accuracy", "L2, train_accuracy")["run"].tolist() == ["run-trunk", "run-L2"]


def test_norm_is_on_a_second_axis_of_the_curvature_panel(branched: Any) -> None:
    figure, _ = draw(_study(), branched.inputs(), "reduced")
    axes = _axes(figure)
    assert axes["norm"].bbox.bounds == axes["curvature"].bbox.bounds
    assert axes["norm"].yaxis.get_ticks_position() == "right"
    foot = "\n".join(figure.notes)
    assert foot.startswith(
        "Frobenius norm: of the 2 tracked eigenvalues. Before the branch point, each curve shows the run trunk."
    )
    assert foot.endswith("\nreduced")


def test_a_diverged_branch_ends_and_is_named(branched: Any) -> None:
    arrays = {"iteration": [20, 40], "epoch": [1, 2]}
    branched.spectra(BRANCHES[0], t=2, k=2, diverged=2.5, **arrays)
    branched.history(BRANCHES[0].run, first=2, last=3, train_accuracy=[0.3, np.nan], val_accuracy=np.nan)
    figure, table = draw(_study(num_branches=1), branched.inputs(), "")
    assert series_of(table, "curvature", "L1, lambda_max")["x"].max() == 2
    assert series_of(table, "accuracy", "L1, train_accuracy")["x"].max() == 2
    (label,) = _axes(figure)["accuracy"].get_legend().get_texts()
    assert label.get_text() == "L1, diverged at epoch 2.5"
