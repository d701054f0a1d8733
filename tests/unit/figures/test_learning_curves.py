"""Accuracy panels against the numbers in the files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from sharpest.figures.files import FigureFiles

from sharpest.config.studies.base import Curve
from sharpest.config.studies.learning_curves import LearningCurves
from sharpest.figures.learning_curves import draw

STUDY = LearningCurves(
    kind="learning_curves",
    caption="",
    panels=(Curve(run="run-a", schedule="step", label="A"), Curve(run="run-b", schedule="step", label="B")),
)


def test_every_point_of_the_table_is_drawn_within_the_window(spectrum_file: Callable[..., Path]) -> None:
    files = FigureFiles(spectra=[spectrum_file("a"), spectrum_file("b")], windows=[2.0, None])
    figure, table = draw(STUDY, files, "")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["A", "B"]
    for axes, (panel, run, last) in zip(figure.axes, [("A", "run-a", 2.0), ("B", "run-b", 3.5)], strict=True):
        rows = table[table["panel"] == panel]
        assert np.array_equal(np.concatenate([line.get_xydata() for line in axes.lines]), rows[["x", "y"]].to_numpy())
        assert rows["x"].max() == last
        assert set(rows["run"]) == {run}
    validation = table[(table["panel"] == "A") & (table["series"] == "validation")]
    assert np.allclose(validation["y"], [10, 14, 18, 22, 26])


def test_divergence_stands_in_the_foot(spectrum_file: Callable[..., Path]) -> None:
    files = FigureFiles(spectra=[spectrum_file("a"), spectrum_file("b", diverged_epoch=3.75)], windows=[None, None])
    figure, _ = draw(STUDY, files, "reduced")
    assert figure.texts[0].get_text() == "B diverged at epoch 3.75.\nreduced"
