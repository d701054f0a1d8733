"""Eigenvalue and accuracy panels against the numbers in the files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sharpest.figures.files import FigureFiles

from sharpest.config.studies.base import Curve
from sharpest.config.studies.spectrum_evolution import SpectrumEvolution
from sharpest.errors import ConfigError
from sharpest.figures.spectrum_evolution import draw
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import open_stored

Build = Callable[..., Path]
ROWS = (Curve(run="run-a", schedule="growth", label="A"), Curve(run="run-b", schedule="growth", label="B"))


def _study(rows: tuple[Curve, ...] = ROWS, **options: Any) -> SpectrumEvolution:
    return SpectrumEvolution(kind="spectrum_evolution", caption="", rows=rows, num_eigenvalues=2, **options)


def _files(*spectra: Path, windows: tuple[float | None, ...] = (1.5,)) -> FigureFiles:
    return FigureFiles(spectra=list(spectra), windows=list(windows))


def _axes(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


def test_every_point_of_the_table_is_drawn_and_nothing_else(spectrum_file: Build) -> None:
    study = _study(accuracy=True)
    figure, table = draw(study, _files(spectrum_file("a"), spectrum_file("b", t=5), windows=(1.5, 1.0)), "")
    panels = _axes(figure)
    assert set(panels) == set(table["panel"])
    assert len(panels) == 8
    for panel, rows in table.groupby("panel"):
        lines = [line.get_xydata() for line in panels[panel].lines]
        assert np.array_equal(np.concatenate(lines), rows[["x", "y"]].to_numpy())
    assert set(table.loc[table["panel"].str.startswith("B"), "run"]) == {"run-b"}


def test_lines_are_the_leading_eigenvalues_red_to_blue(spectrum_file: Build) -> None:
    path = spectrum_file("a", k=4)
    figure, table = draw(_study(ROWS[:1]), _files(path), "")
    with open_stored(path, SPECTRUM) as spectrum:
        eigenvalues = spectrum["eigenvalues"]
    lines = _axes(figure)["A: eigenvalues"].lines
    assert len(lines) == 2
    for index, line in enumerate(lines):
        assert np.array_equal(line.get_ydata(), eigenvalues[:, index])
    first, last = (to_rgb(line.get_color()) for line in lines)
    assert first[0] > first[2]
    assert last[2] > last[0]
    assert list(dict.fromkeys(table["series"])) == ["lambda_1", "lambda_2"]


def test_early_panel_ends_at_the_window(spectrum_file: Build) -> None:
    figure, table = draw(_study(ROWS[:1]), _files(spectrum_file("a")), "")
    assert table.loc[table["panel"] == "A: eigenvalues, early", "x"].max() == 1.5
    assert table.loc[table["panel"] == "A: eigenvalues", "x"].max() == 3.5
    assert _axes(figure)["A: eigenvalues, early"].get_xlim() == (0, 1.5)


def test_accuracies_are_per_cent_and_skip_what_was_not_measured(spectrum_file: Build) -> None:
    train = np.where(np.arange(8) % 2, np.nan, 0.25)
    figure, table = draw(_study(ROWS[:1], accuracy=True), _files(spectrum_file("a", train_accuracy=train)), "")
    rows = table[(table["panel"] == "A: accuracy") & (table["series"] == "training")]
    assert rows["x"].tolist() == [0, 1, 2, 3]
    assert set(rows["y"]) == {25}
    training, validation = _axes(figure)["A: accuracy"].lines
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")


def test_missed_tolerance_is_marked_and_counted(spectrum_file: Build) -> None:
    converged = np.ones((8, 3), dtype=bool)
    converged[6, 1] = converged[1, 0] = False
    converged[0, 2] = False  # of an eigenvalue that is not drawn
    figure, _ = draw(_study(ROWS[:1]), _files(spectrum_file("a", converged=converged)), "reduced")
    marked = [offset for cloud in _axes(figure)["A: eigenvalues"].collections for offset in cloud.get_offsets()]
    assert np.allclose(marked, [[0.5, 6.1], [3.0, 14.1]])
    assert figure.texts[0].get_text().splitlines()[0].endswith("tolerance (A: 2 of 16).")
    assert figure.texts[0].get_text().endswith("\nreduced")


def test_a_run_without_measurements_says_so(spectrum_file: Build) -> None:
    empty = spectrum_file("a", t=0)
    figure, table = draw(_study(ROWS[:1], accuracy=True), _files(empty), "")
    assert table.empty
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == ["no finite measurement"]


def test_sketch_is_labelled_and_recorded_without_a_run(spectrum_file: Build) -> None:
    figure, table = draw(_study(ROWS[:1], sketch=True), _files(spectrum_file("a")), "")
    axes = _axes(figure)["schematic, no data"]
    rows = table[table["panel"] == "schematic"]
    assert set(rows["run"]) == {""}
    assert np.array_equal(np.concatenate([line.get_xydata() for line in axes.lines]), rows[["x", "y"]].to_numpy())
    assert {"A", "B", "C"} <= {text.get_text() for text in axes.texts}
    steps = {name: rows.loc[rows["series"] == f"step at {name}", "x"].tolist() for name in "ABC"}
    assert [start * end < 0 for start, end in steps.values()] == [False, True, True]


def test_early_panel_needs_a_window(spectrum_file: Build) -> None:
    with pytest.raises(ConfigError, match=r"schedules\.growth has no window_epochs"):
        draw(_study(ROWS[:1]), _files(spectrum_file("a"), windows=(None,)), "")


def test_whole_runs_in_one_row_need_no_window(spectrum_file: Build) -> None:
    study = _study(accuracy=True, early=False, layout="row")
    files = _files(spectrum_file("a"), spectrum_file("b", t=5), windows=(None, None))
    figure, table = draw(study, files, "")
    titles = ["A: eigenvalues", "A: accuracy", "B: eigenvalues", "B: accuracy"]
    assert list(_axes(figure)) == titles == list(dict.fromkeys(table["panel"]))
    places = [axes.get_subplotspec() for axes in figure.axes]
    assert [(place.rowspan.start, place.colspan.start) for place in places] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_second_axis_counts_iterations(spectrum_file: Build) -> None:
    figure, _ = draw(_study(ROWS[:1], steps_axis=True), _files(spectrum_file("a")), "")
    for axes in figure.axes:
        (second,) = axes.child_axes
        figure.draw_without_rendering()
        assert np.allclose(second.get_xlim(), 20 * np.array(axes.get_xlim()))  # 20 iterations an epoch in the file
        assert second.get_xlabel() == "iteration"


def test_no_second_axis_without_measurements(spectrum_file: Build) -> None:
    figure, _ = draw(_study(ROWS[:1], steps_axis=True), _files(spectrum_file("a", t=0)), "")
    assert not any(axes.child_axes for axes in figure.axes)


def test_a_diverged_run_is_named(spectrum_file: Build) -> None:
    files = _files(spectrum_file("a"), spectrum_file("b", t=4, diverged_epoch=1.65), windows=(1.5, 1.5))
    figure, table = draw(_study(), files, "reduced")
    assert figure.texts[0].get_text() == "B diverged at epoch 1.65.\nreduced"
    assert table.loc[table["panel"] == "B: eigenvalues", "x"].max() == 1.5
