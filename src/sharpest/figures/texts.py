"""Texts of a figure as drawn: their outlines, their line breaks, and ticks that overlap."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, NullLocator
from matplotlib.transforms import Affine2D

_WORD = re.compile(r"(?:\$[^$]*\$| = |[^\s$])+")
_GAP = 2  # pixels on each side of a label of a tick


def drawn_texts(figure: Figure) -> Iterator[Text]:
    """All visible texts."""
    hidden = set()
    for axes in all_axes(figure):
        for axis in axes_of(axes):
            hidden |= set(axis.findobj(Text)) - set(_seen(axis))
            if _has_axes(axes) and axis.label.get_visible():
                hidden.discard(axis.label)
    for text in figure.findobj(Text):
        if text not in hidden and text.get_visible() and text.get_text().strip():
            yield text


def outline(text: Text) -> Path:
    """The rectangle around a text in pixels, with its rotation, less a margin of one pixel."""
    # the extent of an annotation would include its arrow
    box, angle = Text.get_window_extent(text), text.get_rotation()
    middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    text.set_rotation(0)
    level = Text.get_window_extent(text)
    text.set_rotation(angle)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * (np.array(level.size) / 2 - 1)
    turned = Affine2D().rotate_deg(angle).translate(*middle).transform(corners)
    # else edges above one another, vertical but for rounding, count as crossing in intersects_path
    return Path(turned.round(3), closed=True)


def all_axes(figure: Figure) -> list[Any]:
    """Axes, and the axes inside them."""
    return [each for axes in figure.axes for each in (axes, *axes.child_axes)]


def axes_of(axes: Axes) -> list[Axis]:
    """The two or three axes of a panel."""
    return [getattr(axes, name) for name in ("xaxis", "yaxis", "zaxis") if hasattr(axes, name)]


def _has_axes(axes: Axes) -> bool:
    """Whether axes are drawn; ``axison`` is always false for 3-D ones."""
    return bool(getattr(axes, "_axis3don", axes.axison))


def _seen(axis: Axis) -> list[Text]:
    """The labels of ticks within the view, in order along the axis."""
    if axis.axes is None or not _has_axes(axis.axes) or not axis.get_visible():
        return []
    if axis.axes.name != "3d":  # 3-D labels are placed only when drawn
        axis.get_ticklabels(which="both")  # places them
    low, high = sorted(axis.get_view_interval())
    margin = 1e-9 * (high - low)
    ticks = [*axis.get_major_ticks(len(axis.get_majorticklocs())), *axis.get_minor_ticks(len(axis.get_minorticklocs()))]
    within = [tick for tick in ticks if low - margin <= tick.get_loc() <= high + margin]
    labels = [
        label
        for tick in sorted(within, key=lambda tick: tick.get_loc())
        for label in (tick.label1, tick.label2)
        if label.get_visible() and label.get_text()
    ]
    offset = axis.get_offset_text()
    return [*labels, offset] if offset.get_text() else labels


def bottom(axes: Any) -> float:
    """The lowest pixel of the labels under a panel."""
    box = axes.xaxis.get_tightbbox() if axes.axison else None
    return axes.bbox.y0 if box is None else min(box.y0, axes.bbox.y0)


def wrap(text: Text, whole: str, longest: float) -> None:
    """Set a text to these words, in lines of at most this many pixels; formulas, ``a = b`` are not broken."""
    text.set_text("\n".join(line for part in whole.split("\n") for line in _lines_of(text, part, longest)))


def _lines_of(text: Text, words: str, longest: float) -> Iterator[str]:
    upright = text.get_rotation() % 180 == 90
    line = ""
    for word in re.findall(_WORD, words):
        longer = f"{line} {word}".lstrip()
        text.set_text(longer)
        box = text.get_window_extent()
        if line and (box.height if upright else box.width) > longest:
            yield line
            longer = word
        line = longer
    yield line


def thin(axis: Axis) -> None:
    """Remove ticks until the labels are apart."""
    for count in range(6, 1, -1):
        boxes = [label.get_window_extent().padded(_GAP) for label in _seen(axis)]
        if not any(first.overlaps(second) for first, second in pairwise(boxes)):
            return
        axis.set_minor_formatter(NullFormatter())
        locator = axis.get_major_locator()
        if isinstance(locator, FixedLocator):
            labels = [label.get_text() for label in axis.get_majorticklabels()]
            axis.set_ticks(axis.get_majorticklocs()[::2], labels[::2])
        elif isinstance(locator, MaxNLocator):
            locator.set_params(nbins=count)
        elif isinstance(locator, LogLocator):
            locator.set_params(subs=(1,), numticks=count)
        elif isinstance(locator, NullLocator):
            return


def keep_ticks(axis: Axis) -> None:
    """Fix automatic ticks: their number depends on rounding, and may differ from one drawing to the next."""
    if isinstance(axis.get_major_locator(), MaxNLocator):
        axis.set_major_locator(FixedLocator(axis.get_majorticklocs().tolist()))
