"""What a canvas collects while its panels are drawn."""

import numpy as np

from sharpest.figures.canvas import Canvas
from sharpest.figures.seeds import OfSeed

RUN = "scnn-c10-sgd-lr0.1-S128-s1"


def _line(*y: float, missed: int = 0) -> list[OfSeed]:
    """One seed, whose last points missed the tolerance."""
    flags = np.arange(len(y)) >= len(y) - missed
    return [OfSeed(RUN, np.arange(len(y)), np.array(y, dtype=float), missed=flags)]


def test_special_points_are_counted_by_group_among_the_drawn_ones() -> None:
    canvas = Canvas()
    canvas.lay_out(1, 3)
    whole, early = canvas.panel("whole", yscale="log"), canvas.panel("early", group="", yscale="log")
    for panel in (whole, early):
        panel.line("s", _line(1, 2, -3, 4, missed=2), color="red")
    canvas.panel("other", group="of its own").line("s", _line(-1, 2, missed=1), color="red")
    canvas.diverged |= {"a": "diverged at epoch 2", "b": ""}
    canvas.note("First.", "", "First.")
    table = canvas.finish("Last.")
    assert canvas.notes == [
        "First.",
        "Not drawn on a logarithmic axis: values at or below zero (whole: 1 of 4).",
        "Open circles: eigenvalues whose residual is above the solver's tolerance (whole: 1 of 3; of its own: 1 of 2).",
        "a diverged at epoch 2.",
        "Last.",
    ]
    assert table["panel"].tolist() == ["whole"] * 3 + ["early"] * 3 + ["other"] * 2


def test_entries_of_the_legend_add_nothing_to_the_panel() -> None:
    canvas = Canvas()
    canvas.lay_out(1, 1)
    panel = canvas.panel("P")
    panel.line("s", _line(1, 2), color="red")
    panel.entry("s", {RUN: "diverged at epoch 2"}, empty=False, color="red")
    panel.legend(most_columns=3)
    assert len(panel.axes.lines) == 1
    assert [text.get_text() for text in panel.axes.get_legend().get_texts()] == ["s, diverged at epoch 2"]
