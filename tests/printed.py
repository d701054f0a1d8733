"""What a journal requires of the texts in a figure."""

from itertools import combinations
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

from sharpest.figures.canvas import Canvas, save
from sharpest.figures.widths import INCHES


def _texts(figure: Figure) -> list[Text]:
    """Titles, labels, legend entries, and the tick labels in view."""
    found = list(figure.texts)
    for axes in figure.axes:
        found += [axes.xaxis.label, axes.yaxis.label, *axes.texts]
        found += [child for child in axes.get_children() if isinstance(child, Text)]
        legend = axes.get_legend()
        found += [] if legend is None else [legend.get_title(), *legend.get_texts()]
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            found += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [text for text in dict.fromkeys(found) if text.get_visible() and text.get_text().strip()]


def check_column(figure: Canvas, table: pd.DataFrame, width: str, folder: Path) -> None:
    """Saved at a width, a figure has it, or says that it is wider; its texts are apart, inside and large enough."""
    save(figure, table, "quick scale, not a reproduction; details: fig99.md", width, folder / "fig99")
    notes = (folder / "fig99.md").read_text(encoding="utf-8")
    assert figure.get_size_inches()[0] == INCHES["double" if "Drawn at width double" in notes else width]
    assert "do not fit two columns" not in notes
    check_texts(figure)


def check_texts(figure: Figure) -> None:
    """No text is cut off or overlaps another, and every font has six to eight points."""
    figure.draw_without_rendering()
    texts = _texts(figure)
    assert texts
    assert all(6 <= text.get_fontsize() <= 8 for text in texts)
    boxes = [Text.get_window_extent(text) for text in texts if text.get_rotation() % 90 == 0]
    width, height = figure.bbox.size
    assert all(box.x0 > -2 and box.y0 > -2 and box.x1 < width + 2 and box.y1 < height + 2 for box in boxes)
    inner = [box.padded(-1.5) for box in boxes]
    meeting = [(one, other) for one, other in combinations(inner, 2) if one.overlaps(other)]
    assert meeting == []
