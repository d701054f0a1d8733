"""Alpha study and loss profiles along eigenvectors: interpolated along refined lines, and evaluated directly.

python benchmarks/lines.py FOLDER
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from entrants import sharpest
from problems import PROBLEMS, SEED, Problem
from torch import Tensor

from sharpest.data.randomness import generator
from sharpest.measures.directions.measure import ROUNDING, LossLine, loss_profile
from sharpest.pipeline.job import tune_allocator

ALPHAS = (0.25, 0.33, 0.5, 1, 2, 3, 4)
HALF = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 6, 8, 12, 16)  # the grid of the paper's scale
GRID = np.array([*(-x for x in reversed(HALF)), 0.0, *HALF])
GRADIENTS = 10
DIRECTIONS = (1, 2, 3, 4, 5)


def study(problem: Problem, theta: Tensor, point: str) -> list[dict[str, object]]:
    def loss(at: Tensor) -> float:
        nonlocal asked
        asked += 1
        with torch.no_grad():
            return float(problem.model.loss(at, *problem.chunk))

    asked, rows = 0, []
    start = loss(theta)  # shared by all directions
    size = (problem.batch_size,)
    draws = [generator(SEED, "gradient", number) for number in range(GRADIENTS)]
    batches = [torch.randint(len(problem.targets), size, generator=draw) for draw in draws]
    gradients = torch.stack([problem.gradient(theta, problem.inputs[b], problem.targets[b]) for b in batches])
    for index, unit in zip(DIRECTIONS, sharpest(problem, theta, k=len(DIRECTIONS)).vectors, strict=True):
        steps = problem.lr * (gradients @ unit).double().numpy()
        distances, scaled = GRID * np.abs(steps).mean(), -np.outer(ALPHAS, steps)
        asked, began = 0, time.process_time()
        values = loss_profile(loss, theta, unit, distances.tolist(), start)
        LossLine(loss, theta, unit, distances, values).mean_changes(scaled)
        ours, evaluations, began = time.process_time() - began, asked, time.process_time()
        loss_profile(loss, theta, unit, distances.tolist())
        loss_profile(loss, theta, unit, scaled.ravel().tolist())
        direct = time.process_time() - began
        # in float64, because at initialisation the changes are about as small as float32's rounding
        exact_theta, exact_unit = theta.double(), unit.double()
        values = loss_profile(loss, exact_theta, exact_unit, distances.tolist())
        read_off = LossLine(loss, exact_theta, exact_unit, distances, values).mean_changes(scaled)
        exact = loss_profile(loss, exact_theta, exact_unit, scaled.ravel().tolist()).reshape(scaled.shape).mean(axis=1)
        exact -= values[len(HALF)]
        # neither method resolves a change within float32's rounding
        parts = np.abs(read_off - exact) / np.maximum(np.abs(exact), 100 * ROUNDING * values[len(HALF)])
        rows.append({
            "problem": problem.name, "point": point, "direction": index, "evaluations": evaluations,
            "direct_evaluations": GRID.size + scaled.size, "seconds": ours, "direct_seconds": direct,
            "worst_error": float(parts.max()), "median_error": float(np.median(parts)),
        })  # fmt: skip
    return rows


def main() -> None:
    folder, rows = Path(sys.argv[1]), []
    folder.mkdir(parents=True, exist_ok=True)
    tune_allocator()
    torch.set_num_threads(1)
    for name in ("digits", "SimpleCNN", "LSTM"):
        problem = PROBLEMS[name]()
        for point, theta in zip(("start", "middle", "late"), problem.trajectory(3), strict=True):
            rows += study(problem, theta, point)
    table = pd.DataFrame(rows)
    table.to_csv(folder / "lines.csv", index=False, float_format="%.4g")
    print(table.to_string())


if __name__ == "__main__":
    main()
