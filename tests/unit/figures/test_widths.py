"""At the width of a journal's column every kind of figure keeps its texts apart, inside and large enough."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator
from PIL import Image
from printed import check_texts
from tiers import fast

from sharpest.figures.canvas import Canvas, legend_below, ordered_colours, save, styled
from sharpest.figures.widths import INCHES, outline

FOOT = "quick scale, not a reproduction; details: fig99.md"


@styled
def crowded(panels: int, columns: int, words: int = 6) -> Canvas:
    """Panels with long titles, a legend of six learning rates, and ticks at each batch size."""
    figure = Canvas(2.7 * columns, 2.3 * -(-panels // columns))
    for number in range(1, panels + 1):
        axes = figure.add_subplot(-(-panels // columns), columns, number)
        axes.set(
            title=f"({'abcdefghi'[number - 1]}) " + "curvature " * words,
            xlabel="epoch",
            ylabel="largest eigenvalue",
        )
        for place, colour in enumerate(ordered_colours(6)):
            axes.plot([1, 512], [0, 1000.0 * place], color=colour, label=f"η = {0.1 / 2**place:g}")
        sizes = [2**power for power in range(10)]
        axes.set_xticks(sizes, [f"{size}" for size in sizes])
        legend_below(axes, most_columns=3)
    return figure


@pytest.mark.parametrize("width", fast(INCHES, "single"))
def test_panels_flow_in_their_order(width: str, tmp_path: Path) -> None:
    figure = crowded(3, 3)
    save(figure, pd.DataFrame(), FOOT, width, tmp_path / "fig99")
    assert figure.get_size_inches()[0] == INCHES[width]
    check_texts(figure)
    places = [(-axes.bbox.y0, axes.bbox.x0) for axes in figure.axes]
    assert places == sorted(places)
    rows = len({round(axes.bbox.y0) for axes in figure.axes})
    assert rows == {"single": 2, "double": 1}[width]
    assert [axes.get_title(loc="left")[:3] for axes in figure.axes] == ["(a)", "(b)", "(c)"]
    assert Image.open(tmp_path / "fig99.png").width == pytest.approx(300 * INCHES[width], abs=1)


def test_ticks_thin_out(tmp_path: Path) -> None:
    figure = crowded(2, 2)
    save(figure, pd.DataFrame(), FOOT, "single", tmp_path / "fig99")
    for axes in figure.axes:
        assert isinstance(axes.xaxis.get_major_locator(), FixedLocator)
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert 2 <= len(labels) < 10
        assert labels == [f"{tick:g}" for tick in axes.get_xticks()]


@pytest.mark.slow
def test_what_fits_no_column_takes_two_and_says_so(tmp_path: Path) -> None:
    figure = crowded(9, 3, words=12)
    save(figure, pd.DataFrame(), FOOT, "single", tmp_path / "fig99")
    assert figure.get_size_inches()[0] == INCHES["double"]
    assert "Drawn at width double" in (tmp_path / "fig99.md").read_text()


@pytest.mark.slow
def test_what_fits_no_width_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most readable layout is taken; its fault is in the notes and on stderr, which is the log of a job."""
    monkeypatch.setattr("sharpest.figures.widths._PAGE", 2.0)
    figure = crowded(3, 3, words=1)
    save(figure, pd.DataFrame(), FOOT, "double", tmp_path / "fig99")
    said = f"do not fit two columns of a page: {figure.get_size_inches()[1]:.1f} inches high"
    assert said in (tmp_path / "fig99.md").read_text()
    assert f"warning    fig99: Its panels {said}" in capsys.readouterr().err
    assert len({round(axes.bbox.x0) for axes in figure.axes}) == 3


@pytest.mark.slow
def test_a_failed_layout_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ticks that were thinned at width single are back at width double."""
    monkeypatch.setattr("sharpest.figures.widths._PAGE", 3.0)
    ticks = []
    for width in INCHES:
        figure = crowded(3, 3, words=1)
        for axes in figure.axes:
            axes.set_xscale("log")
            sizes = [2**power for power in range(5)]
            axes.set_xticks(sizes, [f"{1000 * size}" for size in sizes])
            axes.minorticks_off()
        save(figure, pd.DataFrame(), FOOT, width, tmp_path / "fig99")
        assert figure.get_size_inches()[0] == INCHES["double"]
        ticks.append([axes.get_xticks().tolist() for axes in figure.axes])
    assert ticks[0] == ticks[1]


@pytest.mark.slow
def test_the_only_legend_beside_other_panels_may_be_as_wide_as_they(tmp_path: Path) -> None:
    figure = crowded(3, 3, words=1)
    for axes in figure.axes[1:]:
        axes.get_legend().remove()
    save(figure, pd.DataFrame(), FOOT, "double", tmp_path / "fig99")
    box = figure.axes[0].get_legend().get_window_extent()
    assert box.width > figure.bbox.width / 3
    assert box.y1 < min(axes.xaxis.get_tightbbox().y0 for axes in figure.axes)
    check_texts(figure)


def test_as_wide_as_its_panels_is_as_before(tmp_path: Path) -> None:
    figure = crowded(2, 2)
    size = figure.get_size_inches().copy()
    save(figure, pd.DataFrame(), FOOT, "panels", tmp_path / "fig99")
    assert np.array_equal(figure.get_size_inches(), size)
    assert Image.open(tmp_path / "fig99.png").width == pytest.approx(150 * size[0], abs=1)


def test_upright_texts_above_one_another_do_not_overlap() -> None:
    """At any place: by rounding, an edge may be vertical in one text and not quite in the other."""
    figure = Figure(figsize=(6.9, 9.3))
    texts = [figure.text(0, y, "spike", rotation=90) for y in (0.2, 0.35, 0.5, 0.65, 0.8)]
    for x in 0.1 + 0.0008 * np.arange(200):
        for text in texts:
            text.set_x(x)
        assert not any(one.intersects_path(other) for one, other in combinations(map(outline, texts), 2)), x
