"""Eigenvalue and accuracy panels, compared with the numbers in the files."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from sharpest.config.studies import Curve, SpectrumEvolution
from sharpest.errors import ConfigError
from sharpest.figures.lines import spectrum_evolution as draw

from .conftest import by_title

A, B = ROWS = tuple(Curve(run=f"run-{label.lower()}", schedule="growth", label=label) for label in "AB")


def _study(rows: tuple[Curve, ...] = (A,), **options: Any) -> SpectrumEvolution:
    return SpectrumEvolution(kind="spectrum_evolution", caption="", rows=rows, num_eigenvalues=2, **options)


def test_lines_are_the_leading_eigenvalues_red_to_blue(folder: Any) -> None:
    folder.spectra(A, k=4)
    figure, table = draw(_study(), folder.inputs({A: 1.5}), "")
    eigenvalues = folder.results[A.run].spectra(A.schedule).eigenvalues
    lines = by_title(figure)["A: eigenvalues"].lines
    assert len(lines) == 2
    for index, line in enumerate(lines):
        assert np.array_equal(line.get_ydata(), eigenvalues[:, index])
    first, last = (to_rgb(line.get_color()) for line in lines)
    assert first[0] > first[2]
    assert last[2] > last[0]
    assert list(dict.fromkeys(table["series"])) == ["lambda_1", "lambda_2"]


def test_huge_eigenvalues_leave_the_small_ones_visible(folder: Any) -> None:
    folder.spectra(A)
    figure, _ = draw(_study(scale="symlog"), folder.inputs({A: 1.5}), "")
    transform = by_title(figure)["A: eigenvalues"].yaxis.get_transform().transform
    huge, thousand, ten, one, half, none = transform(np.array([1e5, 1e3, 10.0, 1.0, 0.5, 0.0]))
    assert huge - thousand == pytest.approx(thousand - ten)
    assert half - none == pytest.approx(one - half)


def test_early_panel_ends_at_the_window(folder: Any) -> None:
    folder.spectra(A)
    figure, table = draw(_study(), folder.inputs({A: 1.5}), "")
    assert table.loc[table["panel"] == "A: eigenvalues, early", "x"].max() == 1.5
    assert table.loc[table["panel"] == "A: eigenvalues", "x"].max() == 3.5
    assert by_title(figure)["A: eigenvalues, early"].get_xlim() == (0, 1.5)


def test_accuracies_are_per_cent_and_skip_what_was_not_measured(folder: Any) -> None:
    train = np.where(np.arange(8) % 2, np.nan, 0.25)
    folder.spectra(A, train_accuracy=train)
    figure, table = draw(_study(accuracy=True), folder.inputs({A: 1.5}), "")
    rows = table[(table["panel"] == "A: accuracy") & (table["series"] == "training")]
    assert rows["x"].tolist() == [0, 1, 2, 3]
    assert set(rows["y"]) == {25}
    training, validation = by_title(figure)["A: accuracy"].lines
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")


def test_sketch_is_labelled_and_recorded_without_a_run(folder: Any) -> None:
    folder.spectra(A)
    figure, table = draw(_study(sketch=True), folder.inputs({A: 1.5}), "")
    axes = by_title(figure)["schematic, no data"]
    rows = table[table["panel"] == "schematic"]
    assert set(rows["run"]) == {""}
    assert np.array_equal(np.concatenate([line.get_xydata() for line in axes.lines]), rows[["x", "y"]].to_numpy())
    assert {"A", "B", "C"} <= {text.get_text() for text in axes.texts}
    steps = {name: rows.loc[rows["series"] == f"step at {name}", "x"].tolist() for name in "ABC"}
    assert [start * end < 0 for start, end in steps.values()] == [False, True, True]


def test_early_panel_needs_a_window(folder: Any) -> None:
    folder.spectra(A)
    with pytest.raises(ConfigError, match=r"schedules\.growth has no window_epochs"):
        draw(_study(), folder.inputs({A: None}), "")


def test_whole_runs_in_one_row_need_no_window(folder: Any) -> None:
    folder.spectra(A)
    folder.spectra(B, t=5)
    figure, table = draw(_study(ROWS, accuracy=True, early=False, layout="row"), folder.inputs(), "")
    titles = ["A: eigenvalues", "A: accuracy", "B: eigenvalues", "B: accuracy"]
    assert list(by_title(figure)) == titles == list(dict.fromkeys(table["panel"]))
    places = [axes.get_subplotspec() for axes in figure.axes]
    assert [(place.rowspan.start, place.colspan.start) for place in places] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_second_axis_counts_iterations(folder: Any) -> None:
    folder.spectra(A)
    figure, _ = draw(_study(steps_axis=True), folder.inputs({A: 1.5}), "")
    for axes in figure.axes:
        (second,) = axes.child_axes
        figure.draw_without_rendering()
        assert np.allclose(second.get_xlim(), 20 * np.array(axes.get_xlim()))  # the file has 20 iterations per epoch
        assert second.get_xlabel() == "iteration"
