"""Top 10 eigenpairs at a residual of 1e-3: this library and three others, cold and along a trajectory of 20 points.

python benchmarks/side_by_side.py FOLDER [PROBLEM ...]
"""

import json
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import torch
from entrants import (
    VERSIONS,
    K,
    Measurement,
    arpack,
    best_eigenthings,
    eigenthings,
    pyhessian,
    run,
    sharpest,
    solved,
)
from problems import PROBLEMS, Problem
from torch import Tensor

from sharpest.curvature import Hessian
from sharpest.pipeline.job import tune_allocator

REPEATS = 2  # of each solver, interleaved, because timings are noisy
POINTS = 20
COLD = ("digits", "SimpleCNN", "ResNet-32", "LSTM")
PEERS_EVERY = 5  # points of a trajectory; the others have no warm start and take most of the hour
PYHESSIAN_ITERATIONS = 100  # per eigenpair, its default
PATIENCE = 60  # seconds; PyHessian is omitted if it might take longer
PRODUCT = "one product of sharpest"


def gradient_seconds(problem: Problem, theta: Tensor) -> float:
    def measure() -> float:
        began = time.process_time()
        problem.gradient(theta, *problem.chunk)
        return time.process_time() - began

    measure()
    return median(measure() for _ in range(6))


def cold(problem: Problem, point: str, theta: Tensor) -> list[dict[str, Any]]:
    truth = solved(problem, theta)
    _, steps = best_eigenthings(problem, theta, truth)
    repeated = {
        "sharpest": sharpest,
        f"hessian-eigenthings, {steps} steps (hindsight)": eigenthings(steps),
        "hessian-eigenthings, default 20 steps": eigenthings(20),
        "curvlinops + eigsh, tol 1e-3": arpack(1e-3),
    }
    units, measured = [], {name: [] for name in repeated}
    for _ in range(REPEATS):  # interleaved, because timings are noisy
        units.append(gradient_seconds(problem, theta))
        for name, entrant in repeated.items():
            measured[name].append(run(entrant, problem, theta, truth))
    rows = [_product_row(problem, point, theta, median(units))]
    if rows[0]["seconds"] * K * PYHESSIAN_ITERATIONS <= PATIENCE:
        for name, tolerance in (("default", 1e-3), ("tight", 1e-6)):
            measured[f"PyHessian, {name}"] = [run(pyhessian(tolerance, PYHESSIAN_ITERATIONS), problem, theta, truth)]
    for name, measurements in measured.items():
        seconds = median(measurement.seconds for measurement in measurements)
        rows.append(
            _row(problem, point, name, measurements[0]) | {"seconds": seconds, "gradients": seconds / median(units)}
        )
        print(rows[-1], flush=True)
    return rows


def _product_row(problem: Problem, point: str, theta: Tensor, unit: float) -> dict[str, Any]:
    """One of our products, on a kept graph."""
    operator, vector = Hessian(problem.model.loss, theta, [problem.chunk]), theta.clone()
    times = []
    for _ in range(7):
        began = time.process_time()
        operator.product(vector)
        times.append(time.process_time() - began)
    return {"problem": problem.name, "point": point, "entrant": PRODUCT, "seconds": median(times),
            "gradients": median(times) / unit}  # fmt: skip


def _row(problem: Problem, point: str, name: str, measurement: Measurement) -> dict[str, Any]:
    return {
        "problem": problem.name, "parameters": problem.model.num_parameters, "examples": problem.count, "point": point,
        "entrant": name, "products": measurement.products, "residual": measurement.residual,
        "error": measurement.error, "converged": measurement.converged,
    }  # fmt: skip


def trajectory(problem: Problem) -> list[dict[str, Any]]:
    """Points as in the paper's zoom. Our solver starts from the previous vectors; the others cannot.

    All solvers are compared at the points where the others run.
    """
    totals: dict[str, list[Measurement]] = {}
    units, warm = [], None
    for index, theta in enumerate(problem.trajectory(POINTS, problem.zoom)):
        if index % PEERS_EVERY != PEERS_EVERY - 1:
            warm = sharpest(problem, theta, warm).vectors.sum(dim=0)
            continue
        truth = solved(problem, theta)
        units.append(gradient_seconds(problem, theta))
        ours = run(partial(sharpest, warm=warm), problem, theta, truth)
        warm = ours.vectors.sum(dim=0)
        others = {
            "sharpest, cold": run(sharpest, problem, theta, truth),
            "hessian-eigenthings, fewest steps (hindsight)": best_eigenthings(problem, theta, truth)[0],
            "curvlinops + eigsh, tol 1e-3": run(arpack(1e-3), problem, theta, truth),
        }
        for name, measurement in {"sharpest, warm": ours, **others}.items():
            totals.setdefault(name, []).append(measurement)
    rows = []
    for name, along in totals.items():
        seconds = sum(point.seconds for point in along)
        rows.append({
            "problem": problem.name, "points": len(along), "entrant": name,
            "products": sum(point.products for point in along), "seconds": seconds,
            "gradients": seconds / median(units), "residual": max(point.residual for point in along),
            "error": max(point.error for point in along), "converged": sum(point.converged for point in along),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    folder, names = Path(sys.argv[1]), sys.argv[2:] or COLD
    tune_allocator()
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "versions.json").write_text(json.dumps(VERSIONS, indent=1) + "\n")
    rows, along = [], []
    for name in names:
        problem = PROBLEMS[name]()
        first, *_, last = problem.trajectory(2)
        for point, theta in (("start", first), ("late", last)):
            rows += cold(problem, point, theta)
        along += trajectory(problem)
        for file, table in (("cold", rows), ("trajectory", along)):
            pd.DataFrame(table).to_csv(folder / f"{file}.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
