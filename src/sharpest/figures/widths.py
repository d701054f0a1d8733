"""The widths of a journal: panels flow into the columns that fit, texts wrap, legends move below, ticks thin out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.legend import Legend
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, NullLocator
from matplotlib.transforms import Affine2D, Bbox, ScaledTranslation, blended_transform_factory

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


INCHES = {"single": 3.35, "double": 6.9}
"""Width of one column and of two."""
SMALLEST, LARGEST = 6.0, 8.0
"""Font sizes in points."""

_LEAST_CELL, _LEAST_PANEL = 1.6, 0.8  # inches, with labels and without
_LOWEST, _SQUEEZED, _PAGE = 1.25, 1.0, 9.3  # inches, of a panel, of one that saves a page, and of all of them
_AMPLE = 3.0  # inches, of a row of panels with their labels
_MOST_ENTRIES = 6  # of a legend, side by side
_TOO_HIGH = 1.5  # pages; beyond this, further rounds do not help
_ROUNDS = 3  # of measuring and setting sizes until they converge
_POINT = 1 / 72  # inches
_MARGIN = 8  # points between the legends of neighbours
_INSTEAD = "Drawn at width double: at width single its panels do not fit one column of a page."
_CROWDED = "Its panels do not fit two columns of a page: {}. Draw it at width panels, or split the study."


@dataclass(frozen=True)
class _Panel:
    """The content of one cell: axes, their twins, and their original place."""

    axes: tuple[Axes, ...]
    before: SubplotSpec

    def cell(self, figure: Figure) -> tuple[float, float]:
        """Left and right end of its columns in pixels."""
        spec = self.axes[0].get_subplotspec()
        assert spec is not None  # panels are found by it
        share = figure.bbox.width / spec.get_gridspec().ncols
        return share * spec.colspan.start, share * spec.colspan.stop


def keep_above(figure: Figure, foot: Text) -> None:
    """Keep the panels above the line at the foot."""
    top = foot.get_window_extent().y1 / figure.bbox.height + 0.02
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, top, 1, 1 - top))


def fit(figure: Figure, foot: Text, width: str) -> list[str]:
    """Arrange a figure at the width of one or two columns.

    Args:
        figure: A finished figure with a constrained layout.
        foot: The line at its foot.
        width: A key of ``INCHES``.

    Returns:
        Sentences for its notes: whether it had to be wider, and what is unreadable nevertheless.
    """
    for text in figure.findobj(Text):
        text.set_fontsize(float(np.clip(text.get_fontsize(), SMALLEST, LARGEST)))
    figure.draw_without_rendering()
    panels = _panels(figure)
    drawn = [panel.axes[0].bbox for panel in panels]
    height = float(np.median([box.height for box in drawn])) / figure.dpi
    ratio = float(np.median([box.height / box.width for box in drawn]))
    layout = _Layout(figure, foot, panels, height, ratio)
    name, faults = layout.settle(width)
    for axis in (axis for axes in all_axes(figure) for axis in axes_of(axes)):
        keep_ticks(axis)
    figure.set_layout_engine("none")  # saved as it was measured
    return [*[_INSTEAD] * (name != width), *[_CROWDED.format(", ".join(faults))] * bool(faults)]


def _panels(figure: Figure) -> list[_Panel]:
    """The panels in the order of their places; a colour bar belongs to the panel beside it."""
    by_place: dict[tuple[int, int], list[Axes]] = {}
    for axes in figure.axes:
        if (spec := axes.get_subplotspec()) is not None:
            by_place.setdefault((spec.num1, spec.num2), []).append(axes)
    groups = [by_place[place] for place in sorted(by_place)]
    return [_Panel(tuple(group), spec) for group in groups if (spec := group[0].get_subplotspec()) is not None]


class _Layout:
    """Arranges a figure at a width.

    Args:
        figure, foot, panels: The figure and its parts.
        height, ratio: Original height of its panels, in inches and in widths.
    """

    def __init__(self, figure: Figure, foot: Text, panels: Sequence[_Panel], height: float, ratio: float) -> None:
        self._figure, self._foot, self._panels, self._height, self._ratio = figure, foot, panels, height, ratio
        self._texts = {text: text.get_text() for text in figure.findobj(Text)}
        self._ticks = {
            axis: (copy(axis.get_major_locator()), copy(axis.get_major_formatter()), copy(axis.get_minor_formatter()))
            for axes in all_axes(figure)
            for axis in axes_of(axes)
        }
        self._legends = {
            axes: ([text.get_text() for text in legend.get_texts()], legend.get_title().get_text(), legend)
            for axes in figure.axes
            if (legend := axes.get_legend()) is not None
        }

    def settle(self, width: str) -> tuple[str, list[str]]:
        """Take the first readable layout; returns its width and faults.

        If none is readable, take the one of width double with the fewest faults, then the lowest.
        """
        for name in dict.fromkeys((width, "double")):
            tried = []
            for columns in self.columns(INCHES[name]):
                self.flow(columns, INCHES[name])
                faults = self.faults()
                if not faults:
                    return name, []
                tried.append((len(faults), self._figure.get_size_inches()[1], columns))
        self.flow(min(tried)[-1], INCHES["double"])
        return "double", self.faults()

    def columns(self, inches: float) -> list[int]:
        """Possible numbers of panels side by side, at most the original one, so that rows are filled evenly."""
        before = self._panels[0].before.get_gridspec().ncols
        most = max(1, min(before, int(inches / _LEAST_CELL)))
        return list(dict.fromkeys(-(-before // -(-before // count)) for count in range(most, 0, -1)))

    def flow(self, columns: int, inches: float) -> None:
        """Put the panels into this number of columns, and set the height."""
        rows = self._place(columns)
        for axis, (locator, formatter, minor) in self._ticks.items():  # an earlier layout has thinned them
            axis.set_major_locator(copy(locator))
            axis.set_major_formatter(copy(formatter))
            axis.set_minor_formatter(copy(minor))
        self._figure.set_size_inches(inches, rows * _AMPLE)
        engine: Any = self._figure.get_layout_engine()
        for _ in range(_ROUNDS):
            keep_above(self._figure, self._foot)
            self._draw()
            for panel in self._panels:
                self._wrap(panel)
                for axes in panel.axes:
                    self._move_legend(axes, panel)
            engine.execute(self._figure)
            last = self._panels[-1].axes[0].bbox
            target = max(_LOWEST, min(self._height, self._ratio * last.width / self._figure.dpi))
            height = self._figure.get_size_inches()[1] + rows * (target - last.height / self._figure.dpi)
            if 0 < (height - _PAGE) / rows <= target - _SQUEEZED:
                height = _PAGE
            if height > _TOO_HIGH * _PAGE:
                break
            self._figure.set_size_inches(inches, height)
        keep_above(self._figure, self._foot)
        self._draw()
        self._figure.draw_without_rendering()
        for axis in (axis for axes in all_axes(self._figure) for axis in axes_of(axes)):
            thin(axis)
        self._figure.draw_without_rendering()

    def _draw(self) -> None:
        """Run the layout; labels of 3-D axes are placed only when drawn."""
        engine: Any = self._figure.get_layout_engine()
        for _ in range(2 * any(axes.name == "3d" for axes in self._figure.axes)):
            self._figure.draw_without_rendering()
        engine.execute(self._figure)

    def _place(self, columns: int) -> int:
        """Move each panel to its new place, or back if the number of columns is the original one; returns the rows."""
        before = self._panels[0].before.get_gridspec()
        if columns == before.ncols:
            for panel in self._panels:
                for axes in panel.axes:
                    axes.set_subplotspec(panel.before)
            return int(before.nrows)
        rows = -(-len(self._panels) // columns)
        grid = self._figure.add_gridspec(rows, columns)
        for place, panel in enumerate(self._panels):
            for axes in panel.axes:
                axes.set_subplotspec(grid[divmod(place, columns)])
        return rows

    def _wrap(self, panel: _Panel) -> None:
        """Wrap titles, labels and notes that exceed the cell of their panel."""
        left, right = panel.cell(self._figure)
        for axes in (each for whole in panel.axes for each in (whole, *whole.child_axes)):
            box = axes.bbox
            middle = (box.x0 + box.x1) / 2
            is_flat = axes.name != "3d"
            for text in axes.get_children():
                if isinstance(text, Text) and self._texts.get(text):
                    is_title = text not in axes.texts
                    self._break(text, right - box.x0 if is_title else box.width if is_flat else right - left)
            if is_flat:
                is_half = axes not in panel.axes
                self._break(axes.xaxis.label, 0.9 * box.width if is_half else 2 * min(middle - left, right - middle))
                self._break(axes.yaxis.label, 1.1 * box.height)

    def _break(self, text: Text, longest: float) -> None:
        """Wrap a text between words at this many pixels."""
        wrap(text, self._texts[text], longest)

    def _neighbours(self, panel: _Panel) -> list[_Panel]:
        """The panels of its row."""
        rows = [each.axes[0].get_subplotspec().rowspan for each in (panel, *self._panels)]  # type: ignore[union-attr]
        return [each for each, row in zip(self._panels, rows[1:], strict=True) if row == rows[0]]

    def _move_legend(self, axes: Axes, panel: _Panel) -> None:
        """Put a legend below the labels of its panel, in one row or in as many columns as fit.

        If it needs more than one row and no other panel beside it has one, it may be as wide as the row of panels.
        """
        if axes not in self._legends:
            return
        beside = self._neighbours(panel)
        is_alone = sum(each in self._legends for other in beside for each in other.axes) == 1
        if not self._put_legend(axes, [panel], one_row=is_alone and len(beside) > 1):
            self._put_legend(axes, beside)

    def _put_legend(self, axes: Axes, panels: Sequence[_Panel], one_row: bool = False) -> bool:
        """Put a legend below panels; returns whether it fits, which is required only if it must have one row."""
        labels, title, old = self._legends[axes]
        handles = [handle for handle in old.legend_handles if handle is not None]
        cells = [panel.cell(self._figure) for panel in panels]
        left, right = min(start for start, _ in cells), max(end for _, end in cells)
        room = right - left - _MARGIN * _POINT * self._figure.dpi
        above = [each for panel in panels for whole in panel.axes for each in (whole, *whole.child_axes)]
        depth = (axes.bbox.y0 - min(map(bottom, above))) / self._figure.dpi + 2 * _POINT
        below = axes.transAxes + ScaledTranslation(0, -depth, self._figure.dpi_scale_trans)
        at = blended_transform_factory(self._figure.dpi_scale_trans, below)
        most = min(len(labels), _MOST_ENTRIES)
        for columns in range(most, most - 1 if one_row else 0, -1):
            legend = axes.legend(
                handles, labels, title=title or None, ncols=columns, loc="upper center", borderpad=0,
                bbox_to_anchor=((left + right) / 2 / self._figure.dpi, 0), bbox_transform=at,
                handlelength=1.6, columnspacing=1.2,
            )  # fmt: skip
            legend.get_tightbbox = partial(_of_height, legend, axes)  # type: ignore[method-assign]
            if legend.get_window_extent().width <= room:
                return not one_row or columns == len(labels)
        if one_row:
            return False
        handle = 2.6 * 7 * _POINT * self._figure.dpi
        for text, label in zip(legend.get_texts(), labels, strict=True):
            wrap(text, label, room - handle)
        wrap(legend.get_title(), title, room)
        return True

    def faults(self) -> list[str]:
        """Why the layout is unreadable, as words for a note; empty if it is readable."""
        width = min(panel.axes[0].bbox.width for panel in self._panels) / self._figure.dpi
        height = self._figure.get_size_inches()[1]
        texts = list(map(outline, drawn_texts(self._figure)))
        page = self._figure.bbox.padded(1)
        faults = {
            f"{height:.1f} inches high": height > _PAGE,
            f"panels {width:.1f} inches wide": width < _LEAST_PANEL,
            "texts cut off": not all(page.contains(*corner) for each in texts for corner in np.asarray(each.vertices)),
            "texts that overlap": any(first.intersects_path(second) for first, second in combinations(texts, 2)),
        }
        return [fault for fault, is_there in faults.items() if is_there]


def _of_height(legend: Legend, axes: Axes, renderer: Any = None) -> Bbox:
    """The part of a legend that the layout sees: its height, and no more than the width of the panel."""
    box = legend.get_window_extent(renderer)
    return Bbox([[axes.bbox.x0, box.y0], [axes.bbox.x1, box.y1]])
