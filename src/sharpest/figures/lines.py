"""Lines along training: the kinds that draw eigenvalues, accuracies and losses against the epoch or the iteration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from sharpest.claims.edges import edge_of, first_crossing
from sharpest.config.studies import (
    FLOW,
    Curve,
    EdgeLine,
    EigenvaluePanel,
    EndPointPanel,
    FirstStage,
    FullBatchEdge,
    LargestEigenvalues,
    LearningCurves,
    NsgdCurves,
    NsgdLine,
    NsgdPanel,
    RestrictedPanel,
    RestrictedSteps,
    SeedRuns,
    SpectrumEvolution,
)
from sharpest.figures.canvas import (
    BLUE,
    GREEN,
    GREY,
    MARKERS,
    OTHERS,
    RED,
    Canvas,
    FigureInputs,
    Panel,
    divergence_line,
    drawing,
    looks,
    make_room_for_legends,
    ordered_colours,
)
from sharpest.figures.seeds import OfSeed, joined, mean_over_seeds, name_diverged, seeds_line
from sharpest.measures.evaluations import Evaluations
from sharpest.measures.spectra import Spectra
from sharpest.results.stored import Measured, divergence

OF_SEEDS = "bands: one standard deviation; thin: single seeds; norms: means only"
"""How ``curvature_lines`` draws several seeds, for the notes."""

# prefix of the columns of spectra -> name, dashes, colour
_ACCURACIES = {"train": ("training", "-", "black"), "val": ("validation", "--", OTHERS[0])}


def accuracy_panel(panel: Panel, seeds: Sequence[Spectra], last: float) -> None:
    """Draw the training and validation accuracies of a run up to an epoch: each seed and the mean."""
    panel.axes.set(xlabel="epoch", ylabel="accuracy (%)")
    for name, (series, dashes, colour) in _ACCURACIES.items():
        lines = [OfSeed.along(spectra, 100 * spectra[f"{name}_accuracy"], last=last) for spectra in seeds]
        panel.line(series, lines, linestyle=dashes, color=colour, label=series)
    if panel.num_points:
        panel.axes.set_ylim(bottom=0)
        panel.legend(ncols=2)


def tracked(spectra: Spectra) -> dict[str, OfSeed]:
    """lambda_max and Frobenius norm of the tracked eigenvalues, where the norm is finite."""
    rows = np.isfinite(spectra.frobenius)
    run, epoch, diverged = spectra.run, spectra.epoch, spectra.divergence
    lambda_max = OfSeed(run, epoch, spectra.lambda_max, diverged, ~spectra.converged[:, 0])
    return {"lambda_max": lambda_max.at(rows), "frobenius": OfSeed(run, epoch, spectra.frobenius, diverged).at(rows)}


def norm_axis(panel: Panel) -> Panel:
    """Label a panel of curvature and add a second y axis for the norm."""
    panel.axes.set(xlabel="epoch", ylabel="largest eigenvalue (solid)")
    return panel.second(ylabel="Frobenius norm (dashed)")


def curvature_lines(
    panel: Panel, norm: Panel | None, label: str, seeds: Sequence[Mapping[str, OfSeed]], colour: object, group: str
) -> None:
    """Draw the lambda_max of all seeds of a run, and the Frobenius norm if it has an axis.

    Only the mean of the norm is drawn: it is nearly proportional to lambda_max, and its bands would hide those.
    """
    for y_axis, column, dashes in ((panel, "lambda_max", "-"), (norm, "frobenius", "--")):
        if y_axis is not None:
            lines = [each[column] for each in seeds]
            y_axis.line(f"{label}, {column}", lines, column == "frobenius", group=group, linestyle=dashes, color=colour)


def separate(panel: Panel) -> None:
    """Leave room above the eigenvalues, so that the nearly proportional norms do not hide them."""
    low, high = panel.axes.get_ylim()
    panel.axes.set_ylim(low, high + (high - low) / 3)


# valleys of the sketch: curvature, height of the bottom, half width, start and end of the step
_VALLEYS = {"A": (0.35, 2.35, 2.0, -1.7, -0.8), "B": (1.3, 1.15, 1.2, -0.95, 1.05), "C": (3.6, 0.0, 0.75, -0.6, 0.66)}

_OF_SEEDS = "band and thin lines, for the largest eigenvalue: one standard deviation, single seeds"


@drawing
def spectrum_evolution(canvas: Canvas, study: SpectrumEvolution, inputs: FigureInputs) -> None:
    """Draw one row of panels for each run, or all panels in one row.

    Raises:
        ConfigError: If an early window is drawn and a schedule has none.

    Source: Figs. 1, 2, 3 and 9; inventory, Figures 1, 2, 3 and 9.
    """
    num_rows, num_columns = len(study.rows), (1 + study.accuracy) * (1 + study.early)
    if study.layout == "row":
        num_rows, num_columns = 1, num_rows * num_columns
    canvas.lay_out(num_rows, num_columns + study.sketch, 1, 1.1)
    if study.sketch:
        grid = canvas.grid
        canvas.places = iter([grid[row, column] for row in range(num_rows) for column in range(1, num_columns + 1)])
        _sketch(canvas.panel("schematic", grid[:, 0], title="schematic, no data"))
    for curve in study.rows:
        _panels(canvas, study, curve, inputs)
    canvas.of_seeds(study.rows, rest=_OF_SEEDS)


def _panels(canvas: Canvas, study: SpectrumEvolution, curve: Curve, inputs: FigureInputs) -> None:
    """Draw the panels of one run: eigenvalues up to each limit in epochs, then accuracies up to each limit."""
    seeds, limits = inputs.by_seed(Spectra, curve), {"": np.inf}
    canvas.diverged[curve.label] = name_diverged({spectra.run: spectra.divergence for spectra in seeds})
    if study.early:
        limits[", early"] = inputs.early_window(curve)
    quantities = ("eigenvalues", *["accuracy"] * study.accuracy)
    places = {(quantity, suffix): next(canvas.places) for quantity in quantities for suffix in limits}
    drawn = []
    for suffix, limit in limits.items():
        for quantity in quantities:
            name, group = f"{curve.label}: {quantity}{suffix}", "" if suffix else curve.label
            panel = canvas.panel(name, places[quantity, suffix], group, xlabel="epoch", ylabel="eigenvalue")
            if quantity == "accuracy":
                accuracy_panel(panel, seeds, limit)
            else:
                _eigenvalues(panel, study, seeds, limit)
            panel.axes.set_xlim(left=0, right=limit if np.isfinite(limit) else None)
            drawn.append(panel)
    longest = max(seeds, key=lambda spectra: spectra.epoch.max(initial=0))
    if study.steps_axis and longest.epoch.max(initial=0) > 0:
        steps_per_epoch = float(longest.iteration.max() / longest.epoch.max())
        conversions = partial(np.multiply, steps_per_epoch), partial(np.multiply, 1 / steps_per_epoch)
        for panel in (panel for panel in drawn if panel.num_points):
            panel.axes.secondary_xaxis("top", conversions).set_xlabel("iteration")


def _eigenvalues(panel: Panel, study: SpectrumEvolution, seeds: list[Spectra], limit: float) -> None:
    """Draw one line per eigenvalue up to an epoch; only the largest one with its band and single seeds."""
    if study.scale == "symlog":
        panel.axes.set_yscale("symlog", linthresh=1)
    # at the points where all of them are finite
    whole = [np.isfinite(each.eigenvalues[:, : study.num_eigenvalues]).all(axis=1) for each in seeds]
    count = min(study.num_eigenvalues, seeds[0].eigenvalues.shape[1])
    for index, colour in enumerate(ordered_colours(count)[::-1]):
        lines = [
            OfSeed.along(each, np.where(rows, each.eigenvalues[:, index], np.nan), ~each.converged[:, index], limit)
            for each, rows in zip(seeds, whole, strict=True)
        ]
        # where lines meet, the largest eigenvalue is on top
        look = {"color": colour, "linewidth": 0.8, "zorder": 3 - index / count}
        panel.line(f"lambda_{index + 1}", lines, mean_only=index > 0, **look)


def _sketch(panel: Panel) -> None:
    """Draw the schematic: the valley sharpens from A to C, until the step crosses its bottom."""
    axes = panel.axes
    axes.set(xlabel="along the sharpest direction", ylabel="loss", xticks=[], yticks=[])
    colours = ordered_colours(len(_VALLEYS))
    for (name, (curvature, bottom, half_width, start, end)), colour in zip(_VALLEYS.items(), colours, strict=True):
        x = np.linspace(-half_width, half_width, 41)
        ends = np.array([start, end])
        loss, loss_at_ends = (bottom + curvature / 2 * along**2 for along in (x, ends))
        axes.plot(x, loss, color=colour, linewidth=1.4)
        axes.plot(ends, loss_at_ends, "o", color=colour, markersize=4.5)
        axes.annotate("", (end, loss_at_ends[1]), (start, loss_at_ends[0]),
                      arrowprops={"arrowstyle": "->", "color": "black", "shrinkA": 3, "shrinkB": 3,
                                  "connectionstyle": "arc3,rad=-0.25"})  # fmt: skip
        axes.annotate(name, (start, loss_at_ends[0]), (-9, -2), textcoords="offset points", ha="right", weight="bold")
        panel.record(f"loss at {name}", "", x=x, y=loss)
        panel.record(f"step at {name}", "", x=ends, y=loss_at_ends)
    axes.annotate("", (0.98, 0.3), (0.98, 0.95), xycoords="axes fraction",
                  arrowprops={"arrowstyle": "->", "color": GREY})  # fmt: skip
    axes.text(0.96, 0.62, "training", transform=axes.transAxes, rotation=90, color=GREY, fontsize=7,
              ha="right", va="center")  # fmt: skip
    axes.set_xlim(-3.1, 3.1)
    axes.set_ylim(-0.95, 3.4)
    # below the valleys, with room for two lines
    axes.text(0.0, -0.15, "at B and C the step crosses the bottom", color=RED, fontsize=7, ha="center", va="top")


_NAMED = dict(zip(("red", "green", "blue"), ordered_colours(3), strict=True))  # the paper's names of their order
_LINES = (("-", 0.9), ("-.", 0.6))  # dashes and width of lambda_1 and lambda_2
_TICK_STEPS = (1, 2, 5, 10)
_FEW_DECADES = 30  # an axis whose ends have a smaller ratio needs more ticks than the powers of ten
_LEGEND_TITLES = {1: None, 2: "solid $λ_1$, dash-dotted $λ_2$"}


@dataclass(frozen=True)
class _Curve:
    """One curve with its seeds."""

    label: str
    colour: str
    lines: list[list[OfSeed]]  # the finite values of each eigenvalue, one per seed
    diverged: dict[str, str]
    empty: bool  # no point can be drawn
    last: float  # epochs


@drawing
def largest_eigenvalues(canvas: Canvas, study: LargestEigenvalues, inputs: FigureInputs) -> None:
    """Draw a grid of panels.

    A composite panel has two halves of equal width, both starting at epoch 0: the early window, the widest one of its
    curves, and the whole run. Epochs are recorded in both halves.

    Raises:
        ConfigError: If an early window is drawn and a schedule has none.

    Source: Figs. 4, 10, 11, 13 and 21; inventory, Figure 4 and 1.8.
    """
    canvas.left_out_are = "Not drawn on a logarithmic axis: eigenvalues at or below zero"
    columns = max(map(len, study.rows))
    canvas.lay_out(len(study.rows), columns)
    for row in study.rows:
        for panel in row:
            _panel(canvas, study, panel, inputs)
        for _ in range(columns - len(row)):
            next(canvas.places)
    canvas.of_seeds(study.curves())


def _panel(canvas: Canvas, study: LargestEigenvalues, panel: EigenvaluePanel, inputs: FigureInputs) -> None:
    colours = ordered_colours(len(panel.curves))
    curves = [
        _read(study, curve.label, _NAMED[curve.colour] if curve.colour else colour, inputs.by_seed(Spectra, curve))
        for curve, colour in zip(panel.curves, colours, strict=True)
    ]
    window = max(inputs.early_window(curve) for curve in panel.curves) if study.composite else None
    whole = outer = canvas.panel(panel.title)
    if window and not all(curve.empty for curve in curves):
        early, whole = _halves(outer, window)
        _lines(early, study, curves, window)
    else:
        outer.axes.set(xlabel="epoch", ylabel="eigenvalue")
    _lines(whole, study, curves, max(curve.last for curve in curves))
    outer.num_points = whole.num_points
    for curve in curves:
        outer.entry(curve.label, curve.diverged, curve.empty, color=curve.colour)
    outer.legend(title=_LEGEND_TITLES[study.num_eigenvalues], most_columns=3)


def _read(study: LargestEigenvalues, label: str, colour: str, seeds: list[Spectra]) -> _Curve:
    last = np.inf if study.last_epoch is None else study.last_epoch
    lines = [
        [OfSeed.along(each, each.eigenvalues[:, index], ~each.converged[:, index], last) for each in seeds]
        for index in range(study.num_eigenvalues)
    ]
    drawable = [(each.y > 0).any() if study.scale == "log" else len(each.y) > 0 for line in lines for each in line]
    end = max(each.epoch.max(initial=0, where=each.epoch <= last) for each in seeds)
    diverged = {each.run: each.divergence for each in seeds}
    return _Curve(label, colour, lines, diverged, not any(drawable), end)


def _halves(outer: Panel, window: float) -> tuple[Panel, Panel]:
    """Split a panel into two of equal width, separated by a blue bar."""
    outer.axes.set_axis_off()
    early = outer.axes.inset_axes((0, 0, 0.5, 1))
    whole = outer.axes.inset_axes((0.5, 0, 0.5, 1), sharey=early)
    early.set(xlabel=f"epoch, the first {window:g}", ylabel="eigenvalue")
    whole.set_xlabel("epoch, whole run")
    whole.spines.left.set(color="blue", linewidth=2)
    whole.tick_params(axis="y", which="both", left=False, labelleft=False)
    # leave out the ticks that meet at the bar
    early.xaxis.set_major_locator(MaxNLocator(4, steps=_TICK_STEPS, prune="upper"))
    whole.xaxis.set_major_locator(MaxNLocator(4, steps=_TICK_STEPS, prune="lower"))
    canvas, name = outer.canvas, outer.name
    return canvas.panel_on(early, f"{name}, early", ""), canvas.panel_on(whole, name, name)


def _lines(panel: Panel, study: LargestEigenvalues, curves: list[_Curve], limit: float) -> None:
    """Draw one line per eigenvalue of each run, up to an epoch."""
    panel.axes.set_yscale(study.scale)
    for curve in curves:
        for index, (seeds, (dashes, width)) in enumerate(zip(curve.lines, _LINES, strict=False), start=1):
            shown = [each.at(each.x <= limit) for each in seeds]
            panel.line(f"{curve.label}, lambda_{index}", shown, linestyle=dashes, color=curve.colour, linewidth=width)
    if limit > 0:
        panel.axes.set_xlim(0, limit)
    if study.scale == "log":
        low, high = panel.axes.get_ylim()
        panel.axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < _FEW_DECADES * low else (1,)))
        panel.axes.yaxis.set_major_formatter("{x:g}")
        panel.axes.yaxis.set_minor_formatter(NullFormatter())


@drawing
def learning_curves(canvas: Canvas, study: LearningCurves, inputs: FigureInputs) -> None:
    """Draw one panel for each run, up to the end of its early window if it has one.

    Source: Fig. 14; inventory, Figure 14.
    """
    canvas.lay_out(1, len(study.panels), height=1.1)
    for curve in study.panels:
        seeds, window = inputs.by_seed(Spectra, curve), inputs.window(curve)
        canvas.diverged[curve.label] = name_diverged({spectra.run: spectra.divergence for spectra in seeds})
        accuracy_panel(canvas.panel(curve.label), seeds, np.inf if window is None else window)
    canvas.of_seeds(study.panels)


_HISTORY = {"train_accuracy": "-", "val_accuracy": "--"}


@drawing
def first_stage(canvas: Canvas, study: FirstStage, inputs: FigureInputs) -> None:
    """Draw each branch, preceded by its trunk.

    The run of points before the branch is the trunk; a moving average has the run and the epoch of its central point.

    Source: Fig. 12; inventory, Figure 12.
    """
    canvas.lay_out(1, 3, height=1.4)
    curvature, title = canvas.panel("curvature"), "accuracy, solid: training, dashed: validation"
    accuracy = canvas.panel("accuracy", title=title, xlabel="epoch", ylabel="accuracy (%)")
    rate = canvas.panel("learning rate", xlabel="epoch", ylabel="learning rate")
    norm = norm_axis(curvature)
    trunk = [_of_branch(inputs, each) for each in study.trunk.by_seed()]
    for curve, colour in zip(study.branches, ordered_colours(len(study.branches)), strict=True):
        seeds = _preceded(trunk, [_of_branch(inputs, each) for each in curve.by_seed()])
        curvature_lines(curvature, norm, curve.label, seeds, colour, curve.label)
        for name, dashes in _HISTORY.items():
            means = [each[name].at(np.isfinite(each[name].y)).smoothed(study.smoothing) for each in seeds]
            lines = [replace(mean, y=100 * mean.y) for mean in means]
            accuracy.line(f"{curve.label}, {name}", lines, linestyle=dashes, color=colour)
        rate.line(curve.label, [_from_the_start(each["lr"]) for each in seeds], drawstyle="steps-pre", color=colour)
        diverged = {run.run: each["lr"].diverged for run, each in zip(curve.by_seed(), seeds, strict=True)}
        empty = not any(len(each["lambda_max"].x) for each in seeds)
        accuracy.entry(curve.label, diverged, empty, color=colour)
    accuracy.legend(most_columns=2)
    separate(curvature)
    count = inputs.read(Spectra, study.trunk).eigenvalues.shape[1]
    canvas.note(
        f"Frobenius norm: of the {count} tracked eigenvalues. Before the branch point, each curve shows the run "
        f"{study.trunk.label}."
    )
    canvas.of_seeds(study.branches, rest=OF_SEEDS)


def _of_branch(inputs: FigureInputs, curve: Curve) -> dict[str, OfSeed]:
    """What is drawn of one seed of a trunk or a branch, by name, against the epoch."""
    spectra, history = inputs.read(Spectra, curve), inputs[curve.run].history
    epoch, diverged = history["epoch"].to_numpy(), spectra.divergence
    rows = {name: OfSeed(curve.run, epoch, history[name].to_numpy(), diverged) for name in (*_HISTORY, "lr")}
    return tracked(spectra) | rows


def _preceded(trunks: Sequence[dict[str, OfSeed]], branches: Sequence[dict[str, OfSeed]]) -> list[dict[str, OfSeed]]:
    """Each branch after the points of its trunk before the first one of the branch; empty if the branch is."""
    return [{name: _after(trunk[name], branch[name]) for name in branch}
            for trunk, branch in zip(trunks, branches, strict=True)]  # fmt: skip


def _after(trunk: OfSeed, branch: OfSeed) -> OfSeed:
    before = trunk.at(trunk.x < branch.x.min(initial=np.inf) if len(branch.x) else slice(0))
    return joined([[before], [branch]])[0]


def _from_the_start(rate: OfSeed) -> OfSeed:
    """A row holds the rate of the epoch it ends, so the line starts one epoch earlier."""
    first = rate.at(slice(1))
    return joined([[replace(first, x=first.x - 1)], [rate]])[0]


_LEFT_OUT = 1 / 4  # at most this fraction of the longest run is left out at the start of the accuracies
_PARTS = ("x", "y", "deviation")  # attributes of a mean
_TEST, _NORM = "test accuracy (%)", "Frobenius norm"

_Tracked = Mapping[str, Mapping[str, OfSeed]]  # run -> column -> its points


@dataclass(frozen=True)
class _EndPoint:
    """One run at its best validation accuracy."""

    run: str
    values: Mapping[str, float]  # name of the axis -> value
    diverged: str

    def at(self, name: str, *x: float) -> OfSeed:
        """Points with a value at one or more x; no points if the run diverged."""
        drawn = np.array([] if self.diverged else x, dtype=float)
        return OfSeed(self.run, drawn, np.full(len(drawn), self.values[name]), self.diverged)


@drawing
def nsgd_curves(canvas: Canvas, study: NsgdCurves, inputs: FigureInputs) -> None:
    """Draw the panels side by side, with the end points last.

    Source: Figs. 8, 19 and 22; inventory, Figures 8, 19 and 22.
    """
    end = study.end_points
    canvas.lay_out(1, len(study.panels) + (end is not None), 1.3, 1.5)
    spectra = {curve.run: inputs.read(Spectra, curve) for curve in study.curves()}
    points = {run: tracked(each) for run, each in spectra.items()}
    panels = [canvas.panel(panel.title, xlabel="epoch") for panel in study.panels]
    end_panel = None if end is None else canvas.panel(end.title, xlabel=end.xlabel)
    for panel, drawn in zip(study.panels, panels, strict=True):
        if panel.quantity == "accuracy":
            _accuracies(drawn, study, panel, points, inputs)
        else:
            _curvature(drawn, study, panel, points)
            if panel.quantity == "curvature":
                counts = sorted({spectra[run].eigenvalues.shape[1] for line in panel.lines for run in line.runs})
                number = " or ".join(map(str, counts))
                canvas.note(f"Frobenius norm along training: of the {number} tracked eigenvalues.")
    if end is not None and end_panel is not None:
        _end_points(end_panel, study.ends, end, inputs)
    norms = any(panel.quantity == "curvature" for panel in study.panels)
    num_seeds = [len(line.runs) for panel in study.panels for line in panel.lines]
    canvas.averages.append(seeds_line(num_seeds, rest=OF_SEEDS) if norms else seeds_line(num_seeds))


def _coloured(panel: NsgdPanel) -> list[tuple[NsgdLine, object]]:
    """Each line with its colour."""
    graded = iter(ordered_colours(sum(line.colour is None for line in panel.lines)))
    return [(line, line.colour or next(graded)) for line in panel.lines]


def _accuracies(drawn: Panel, study: NsgdCurves, panel: NsgdPanel, points: _Tracked, inputs: FigureInputs) -> None:
    """Draw validation accuracies, and note which."""
    drawn.axes.set_ylabel("validation accuracy (%)")
    last = np.inf if study.last_epoch is None else study.last_epoch
    seeds = {}
    for run in (run for line in panel.lines for run in line.runs):
        table = inputs[run].history[["epoch", "val_accuracy"]]
        epoch, accuracy = table[np.isfinite(table["val_accuracy"])].to_numpy().T
        seeds[run] = OfSeed(run, epoch, accuracy, points[run]["lambda_max"].diverged).smoothed(study.smoothing)
    longest = max(each.x.max(initial=0, where=each.x <= last) for each in seeds.values())
    first = min(study.accuracy_from, _LEFT_OUT * longest)
    for line, colour in _coloured(panel):
        lines = [each.at((each.x >= first) & (each.x <= last)) for each in map(seeds.__getitem__, line.runs)]
        in_per_cent = [replace(each, y=100 * each.y) for each in lines]
        drawn.line(line.label, in_per_cent, linestyle="--", color=colour)
        drawn.entry(line.label, _diverged(lines), not any(len(each.x) for each in lines), linestyle="--", color=colour)
    drawn.legend(most_columns=4)
    smoothed = f"moving averages over {study.smoothing} epochs" if study.smoothing > 1 else ""
    since = f"from epoch {first:.3g} on" if first > 0 else ""
    drawn.canvas.note(f"Accuracies: {', '.join(filter(None, [smoothed, since]))}." if smoothed or since else "")


def _diverged(seeds: Sequence[OfSeed]) -> dict[str, str]:
    return {str(each.run): each.diverged for each in seeds}


def _curvature(drawn: Panel, study: NsgdCurves, panel: NsgdPanel, points: _Tracked) -> None:
    """Draw eigenvalues, and norms if the panel shows them."""
    drawn.axes.set_ylabel("largest eigenvalue")
    norm = norm_axis(drawn) if panel.quantity == "curvature" else None
    last = np.inf if study.last_epoch is None else study.last_epoch
    for line, colour in _coloured(panel):
        seeds = [{name: each.at(each.x <= last) for name, each in points[run].items()} for run in line.runs]
        curvature_lines(drawn, norm, line.label, seeds, colour, panel.title)
        lines = [each["lambda_max"] for each in seeds]
        drawn.entry(line.label, _diverged(lines), not any(len(each.x) for each in lines), color=colour)
    drawn.legend(most_columns=4)
    if norm is not None:
        separate(drawn)


def _end_points(drawn: Panel, schedule: str, panel: EndPointPanel, inputs: FigureInputs) -> None:
    """Draw the end points on two y axes, and note what they are."""
    ends = {group.label: _read_ends(group, schedule, inputs) for group in (*panel.points, panel.baseline)}
    shown = [point for point in panel.points if any(not end.diverged for end in ends[point.label])]
    baseline, handles = ends[panel.baseline.label], []
    for name, y_axis, colour, marker, dashes in (
        (_TEST, drawn, RED, "o", "--"), (_NORM, drawn.second(), BLUE, "s", "-")
    ):  # fmt: skip
        y_axis.axes.set_ylabel(name, color=colour)
        groups = [[end.at(name, point.x) for end in ends[point.label]] for point in shown]
        handles.append(_end_point_line(y_axis, name, groups, color=colour, marker=marker))
        if shown and not all(end.diverged for end in baseline):
            edges = min(point.x for point in shown), max(point.x for point in shown)
            level, label = [end.at(name, *edges) for end in baseline], f"{name}, {panel.baseline.label}"
            handles.append(y_axis.line(label, level, linestyle=dashes, color=colour, label=label))
    drawn.legend(handles=handles, ncols=2)
    spread = "; bars: one standard deviation; small: single seeds" if max(map(len, ends.values())) > 1 else ""
    drawn.canvas.note(
        f"{panel.title}: at the best validation accuracy, means over seeds{spread}.",
        divergence_line(
            {label: name_diverged({end.run: end.diverged for end in group}) for label, group in ends.items()}
        ),
    )


def _read_ends(group: SeedRuns, schedule: str, inputs: FigureInputs) -> list[_EndPoint]:
    read = [inputs[run].read(Evaluations, schedule) for run in group.runs]
    return [
        _EndPoint(run, {_TEST: 100 * each.best("test_accuracy"), _NORM: each.best("frobenius")}, each.divergence)
        for run, each in zip(group.runs, read, strict=True)
    ]


def _end_point_line(panel: Panel, name: str, groups: Sequence[Sequence[OfSeed]], **line: Any) -> Any:
    """Draw the mean of each group, its standard deviation as a bar, and its seeds; return the line of the means."""
    means = [mean_over_seeds(group) for group in groups]
    x, y, deviation = (np.array([value for mean in means for value in getattr(mean, part)]) for part in _PARTS)
    several = [group for group in groups if len(group) > 1]
    for each in (each for group in several for each in group):
        panel.axes.plot(each.x, each.y, linestyle="", markersize=2.5, markeredgewidth=0, alpha=0.5, **line)
        panel.record(name, each.run, x=each.x, y=each.y)
    if several:
        panel.axes.errorbar(x, y, deviation, fmt="none", color=line["color"], elinewidth=0.7, capsize=2)
    (handle,) = panel.axes.plot(x, y, markersize=4, label=name, **line)
    runs = [mean.runs[0] if len(group) > 1 else group[0].run for mean, group in zip(means, groups, strict=True)]
    panel.record(name, np.array(runs, dtype=object), x=x, y=y, **{"deviation": deviation} if several else {})
    return handle


ORANGE, *_MORE = OTHERS
_COLOURS = (BLUE, ORANGE, GREEN, RED, *_MORE)  # as in the authors' code: SGD, only top, constant top, no top
_NUM_MARKERS = 12  # per line


@drawing
def restricted_steps(canvas: Canvas, study: RestrictedSteps, inputs: FigureInputs) -> None:
    """Draw two panels, largest eigenvalue and loss, for each panel of the study.

    Source: Fig. 7; inventory, Figure 7.
    """
    canvas.lay_out(1, 2 * len(study.panels), 1, 1.35)
    for panel in study.panels:
        for column, name in (("eigenvalues", "largest eigenvalue"), ("refresh_loss", "training loss")):
            labels: dict[str, Any] = {"xlabel": "iterations since the branch", "ylabel": name}
            _restricted(canvas.panel(f"{panel.title}: {name}", group=panel.title, **labels), panel, column, inputs)
    canvas.of_seeds(curve for panel in study.panels for curve in panel.curves)


def _restricted(drawn: Panel, panel: RestrictedPanel, column: str, inputs: FigureInputs) -> None:
    colours = ordered_colours(len(panel.curves)) if panel.graded else cycle(_COLOURS)
    for curve, colour, marker in zip(panel.curves, colours, cycle(MARKERS)):
        seeds = [_since_branch(inputs, each.run, column) for each in curve.by_seed()]
        longest = max(len(each.x) for each in seeds)
        edges = {"markeredgecolor": "white", "markeredgewidth": 0.4}
        look: dict[str, Any] = {"color": colour, "linewidth": 0.6, "marker": marker, "markersize": 4, **edges}
        drawn.line(curve.label, seeds, markevery=max(1, longest // _NUM_MARKERS), **look)
        drawn.entry(curve.label, {str(each.run): each.diverged for each in seeds}, not longest, **look)
    drawn.legend(most_columns=2)


def _since_branch(inputs: FigureInputs, run: str, column: str) -> OfSeed:
    """The finite values of a column by iteration since the branch, where eigenpairs are refreshed first."""
    snapshots = inputs[run].snapshots
    iteration, values, diverged = snapshots["refresh_iteration"], snapshots[column], snapshots.diverged
    start = iteration[0] if len(iteration) else 0
    text = divergence(None if diverged is None else diverged - start, unit="iteration")
    if column == "refresh_loss":
        return OfSeed(run, iteration - start, values, text).at(np.isfinite(values))
    missed = ~snapshots["converged"][:, 0]
    return OfSeed(run, iteration - start, values[:, 0], text, missed).at(np.isfinite(values[:, 0]))


_LOSS, _RATIO, _DISTANCE = "loss after every update", "λ₁ over its edge", "distance to the gradient flow"
_XLABELS = {"iteration": "iteration", "iteration x lr": "iteration × learning rate"}
_MOST_COLUMNS = 3


@drawing
def full_batch_edge(canvas: Canvas, study: FullBatchEdge, inputs: FigureInputs) -> None:
    """Draw the panels in a column. The distance has a panel if it was measured.

    The crossing of a run is a point of the second panel, in a series that ends in ``: first crossing``.
    """
    ylabels = {_LOSS: "loss", _RATIO: "λ₁ / edge", _DISTANCE: "|θ − θ of the flow|"}
    if not any(line.flow for line in study.lines):
        del ylabels[_DISTANCE]
    canvas.lay_out(len(ylabels), 1, 1.8, 0.85)
    panels: dict[str, Panel] = {}
    for title, ylabel in ylabels.items():
        shared = panels[_LOSS].axes if panels else None
        panels[title] = canvas.panel(title, ylabel=ylabel, sharex=shared)
    panels[_LOSS].axes.set_yscale("log")
    panels[_RATIO].axes.axhline(1, color=GREY, linestyle="--", linewidth=0.7)
    last = panels[list(ylabels)[-1]]
    last.axes.set_xlabel(_XLABELS[study.x])
    for line, (colour, dashes) in zip(study.lines, looks(), strict=False):
        _line(study, panels, line, {"color": colour, "linestyle": dashes}, inputs, last)
    last.legend(_MOST_COLUMNS)
    make_room_for_legends(canvas, 1, _MOST_COLUMNS)
    canvas.note("Dotted: first measured point above the edge.")
    canvas.of_seeds(study.lines)


def _line(
    study: FullBatchEdge, panels: dict[str, Panel], line: EdgeLine, look: dict[str, Any], inputs: FigureInputs,
    named_in: Panel,
) -> None:  # fmt: skip
    """Draw one run with its seeds in all panels."""
    spectra = inputs.by_seed(Spectra, line)
    lr = spectra[0].lr if study.x == "iteration x lr" else 1.0
    seeds = {_LOSS: [_losses(inputs, each, lr) for each in spectra], _RATIO: [_ratios(each, lr) for each in spectra]}
    if line.flow:
        flow = [inputs.measured(FLOW, each.model_copy(update={"schedule": line.flow})) for each in line.by_seed()]
        seeds[_DISTANCE] = [_by_iteration(each, each["distance"], lr) for each in flow]
    crossings = [(each, first_crossing(each.iteration, each.lambda_max, edge_of(each))) for each in spectra]
    for title, group in seeds.items():
        panels[title].line(line.label, group, **look)
        for _, crossing in crossings:
            if crossing is not None:
                panels[title].axes.axvline(lr * crossing, color=look["color"], linestyle=":", linewidth=0.7)
    for each, crossing in crossings:
        if crossing is not None:
            height = each.lambda_max[each.iteration == crossing][0] / edge_of(each)
            panels[_RATIO].record(f"{line.label}: first crossing", each.run, x=lr * crossing, y=height)
    empty = not any(len(each.x) for each in seeds[_RATIO])
    named_in.entry(line.label, {each.run: each.divergence for each in spectra}, empty, **look)


def _by_iteration(measured: Measured, y: Any, lr: float, missed: Any = None) -> OfSeed:
    return OfSeed(measured.run, lr * measured.iteration, y, measured.divergence, missed).at(np.isfinite(y))


def _losses(inputs: FigureInputs, spectra: Spectra, lr: float) -> OfSeed:
    snapshots = inputs[spectra.run].snapshots
    loss = snapshots.update_loss
    x = lr * (snapshots.iteration[0] + np.arange(len(loss)))
    return OfSeed(spectra.run, x, loss, spectra.divergence).at(np.isfinite(loss))


def _ratios(spectra: Spectra, lr: float) -> OfSeed:
    return _by_iteration(spectra, spectra.lambda_max / edge_of(spectra), lr, ~spectra.converged[:, 0])
