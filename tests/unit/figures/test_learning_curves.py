"""Accuracy panels against the numbers in the files."""

from typing import Any

import numpy as np

from sharpest.config.studies import Curve, LearningCurves
from sharpest.figures.lines import learning_curves as draw

A, B = CURVES = tuple(Curve(run=f"run-{label.lower()}", schedule="step", label=label) for label in "AB")
STUDY = LearningCurves(kind="learning_curves", caption="", panels=CURVES)


def test_every_point_of_the_table_is_drawn_within_the_window(folder: Any) -> None:
    folder.spectra(A)
    folder.spectra(B)
    figure, table = draw(STUDY, folder.inputs({A: 2.0, B: None}), "")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["A", "B"]
    for axes, (panel, run, last) in zip(figure.axes, [("A", "run-a", 2.0), ("B", "run-b", 3.5)], strict=True):
        rows = table[table["panel"] == panel]
        assert np.array_equal(np.concatenate([line.get_xydata() for line in axes.lines]), rows[["x", "y"]].to_numpy())
        assert rows["x"].max() == last
        assert set(rows["run"]) == {run}
    validation = table[(table["panel"] == "A") & (table["series"] == "validation")]
    assert np.allclose(validation["y"], [10, 14, 18, 22, 26])
