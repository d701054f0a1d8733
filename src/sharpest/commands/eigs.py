"""The command ``eigs``."""

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.edges import edge_of
from sharpest.commands.arguments import (
    JSON,
    KIND,
    OF_RESULTS,
    argument,
    as_json,
    chosen_scale,
    command,
    run_and_iteration,
)
from sharpest.errors import StoreError
from sharpest.grids import aligned
from sharpest.results.paths import is_stored
from sharpest.results.runs import RunResults, open_results
from sharpest.results.stored import Measured, layout_in, layouts_in

_MEASURE = "spectra"
_FEW = 5  # eigenvalues that are printed unless the user asks for others


@command(
    "eigs",
    argument("measured", metavar="FILE|RUN@ITERATION", help="a file with eigenvalues, or a point of a run"),
    argument("--at", type=int, metavar="ITERATION", help="only this point of a file"),
    argument("-k", type=int, metavar="K", help=f"eigenvalues to print for each point; default: {_FEW}"),
    KIND,
    *OF_RESULTS,
    JSON,
)
def print_eigenvalues(options: argparse.Namespace) -> int:
    """Eigenvalues, their residuals, and eta lambda / 2, which is 1 at the edge of stability.

    For a file, prints one row per point; for one point (RUN@ITERATION, or --at), one row per eigenvalue. With momentum
    or another optimizer, the last column is lambda over the edge of that optimizer at the run's first learning rate.
    """
    if is_stored(options.measured):
        measured, iteration = _eigenvalues_in(options.measured, options.kind), options.at
        row = None if iteration is None else _row(measured, iteration)
    else:
        name, iteration = run_and_iteration(options.measured)
        measured, row = _point(open_results(options.results, chosen_scale(options))[name], iteration)
    k = _number(options.k, measured)
    rows = np.arange(len(measured.iteration)) if row is None else np.array([row])
    if options.json:
        print(as_json(_as_mapping(measured, rows)))
    else:
        print(_of_points(measured, k) if row is None else _of_point(measured, row, k))
    return 0


def _number(asked: int | None, measured: Measured) -> int:
    """How many eigenvalues to print for each point."""
    stored = measured.shape("eigenvalues")[1]
    if asked is None:
        return min(_FEW, stored)
    if not 1 <= asked <= stored:
        raise StoreError(
            f"-k {asked}: {measured.path} holds {stored} eigenvalues for each point; ask for 1 to {stored}"
        )
    return asked


def _eigenvalues_in(path: Any, kind: str | None) -> Measured:
    """The part of a file that holds eigenvalues along training, ``spectra`` if it is one of them."""
    layouts = layouts_in(path) if kind is None else {kind: layout_in(path, kind)}
    for layout in sorted(layouts.values(), key=lambda layout: layout.name != _MEASURE):
        dims = {dataset.name: dataset.dims for dataset in layout.datasets}
        if dims.get("eigenvalues") == ("t", "k") == dims.get("residuals"):
            return Measured(path, layout)
    raise StoreError(f"{path}: holds {', '.join(layouts)}, but no eigenvalues along training, as {_MEASURE} does")


def _row(measured: Measured, iteration: int) -> int:
    rows = np.flatnonzero(measured.iteration == iteration)
    if not len(rows):
        raise StoreError(f"{measured.path}: not measured at iteration {iteration}{_nearest(measured, iteration)}")
    return int(rows[0])


def _nearest(measured: Measured, iteration: int) -> str:
    times = measured.iteration
    return f"; the nearest is {times[np.abs(times - iteration).argmin()]}" if len(times) else ""


def _point(run: RunResults, iteration: int) -> tuple[Measured, int]:
    """The file with the most eigenvalues at a point, and the row of the point in it."""
    schedules = run.schedules(_MEASURE)
    if not schedules:
        run.read(Measured, "any", _MEASURE)  # raises with the missing file
    files = [run.read(Measured, schedule, _MEASURE) for schedule in schedules]
    holding = [measured for measured in files if iteration in measured.iteration]
    if not holding:
        nearest = min((abs(int(t) - iteration), int(t)) for measured in files for t in measured.iteration)[1]
        raise StoreError(
            f"{run.run} was not measured at iteration {iteration}, the nearest is {nearest}; measure it with "
            f"point.eigenpairs(5) in: sharpest open {run.run}@{iteration}"
        )
    best = max(holding, key=lambda measured: measured.shape("eigenvalues")[1])
    return best, _row(best, iteration)


def _edge(measured: Measured) -> tuple[float, str]:
    """The edge of stability (NaN if the file lacks its settings), and the heading for eigenvalues over the edge."""
    try:
        edge = edge_of(measured)
    except (KeyError, TypeError):
        return float("nan"), "lambda / edge"
    return edge, "eta lambda / 2" if np.isclose(edge * measured.lr, 2) else "lambda / edge"


def _of_points(measured: Measured, k: int) -> str:
    edge, over = _edge(measured)
    eigenvalues = measured["eigenvalues"]
    head = ("iteration", "epoch", over, *(f"lambda_{number}" for number in range(1, k + 1)), "residual")
    rows = [
        (
            str(iteration),
            f"{epoch:.3f}",
            f"{values[0] / edge:.4f}",
            *(f"{value:.5g}" for value in values[:k]),
            f"{_largest(residuals[:k]):.1e}",
        )
        for iteration, epoch, values, residuals in zip(
            measured.iteration, measured.epoch, eigenvalues, measured["residuals"], strict=True
        )
    ]
    return f"{_title(measured, edge)}\n\n{aligned(head, rows, range(len(head)))}"


def _of_point(measured: Measured, row: int, k: int) -> str:
    edge, over = _edge(measured)
    values = measured["eigenvalues"][row][:k]
    head = ("", "lambda", "residual", over)
    rows = [
        (str(number), f"{value:.6g}", f"{residual:.1e}", f"{value / edge:.4f}")
        for number, (value, residual) in enumerate(zip(values, measured["residuals"][row], strict=False), start=1)
    ]
    time = f"iteration {measured.iteration[row]}, epoch {measured.epoch[row]:.3f}"
    return f"{_title(measured, edge)}\n{time}\n\n{aligned(head, rows, range(len(head)))}"


def _title(measured: Measured, edge: float) -> str:
    return f"{measured.path}: {measured.run}, eta {measured.lr:g}, edge {edge:.4g}"


def _largest(residuals: NDArray[Any]) -> float:
    return float(residuals.max()) if len(residuals) else float("nan")


def _as_mapping(measured: Measured, rows: NDArray[Any]) -> dict[str, Any]:
    edge, _ = _edge(measured)
    names = [name for name in ("eigenvalues", "residuals", "converged") if name in {d.name for d in measured.datasets}]
    points = [
        {
            "iteration": measured.iteration[row],
            "epoch": measured.epoch[row],
            **{name: measured[name][row] for name in names},
            "over_edge": measured["eigenvalues"][row] / edge,
        }
        for row in rows
    ]
    return {"file": str(measured.path), "run": measured.run, "lr": measured.lr, "edge": edge, "points": points}
