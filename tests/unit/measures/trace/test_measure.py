"""The stored trace, compared with that of the dense Hessian, in float64."""

import numpy as np
import pytest
from builders import Run, dense_hessian, run_settings

from sharpest.measures.trace import MEASURE, Settings
from sharpest.results.stored import Measured

MODEL = {
    "kind": "resnet", "blocks_per_stage": 1, "widths": [1], "batch_norm": False, "running_momentum": 0.2,
    "image_size": None,
}  # fmt: skip
POINTS = [0, 7]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A net so small that all directions can be probed."""
    return Run(tmp_path_factory.mktemp("trace"), run_settings(model=MODEL, epochs=2)).train()


def take(run: Run, num_products: int, points: list[int] = POINTS) -> Measured:
    path = run.paths.measured("trace", f"{num_products}-{points[0]}", "a")
    return Measured(run.measure("trace", [points], Settings(num_products=num_products), path), MEASURE.layout)


@pytest.fixture(scope="module")
def exact(run) -> list[float]:
    problem, walk = run.problem(), run.replay().walk()
    inputs, targets = problem.data.train.inputs[:20], problem.data.train.targets[:20]
    thetas = [walk.to(point).theta for point in POINTS]
    return [float(np.trace(dense_hessian(lambda at: problem.model.loss(at, inputs, targets), at))) for at in thetas]


def test_the_trace_with_all_directions(run, exact):
    measured = take(run, 3 * run.problem().model.num_parameters)
    assert measured.iteration.tolist() == POINTS
    np.testing.assert_allclose(measured.trace, exact, rtol=1e-4)
    assert (measured.trace_error <= 1e-4 * np.abs(measured.trace)).all()


def test_few_products_are_within_their_error(run, exact):
    measured = take(run, 12)
    assert (np.abs(measured.trace - exact) < 4 * measured.trace_error).all()
    assert (measured.trace_error > 0).all()


def test_a_point_does_not_depend_on_the_others(run):
    both, alone = take(run, 12), take(run, 12, POINTS[1:])
    assert both.trace[1] == alone.trace[0]
    assert both.trace[0] != both.trace[1]


def test_what_is_planned():
    cost = MEASURE.cost(Settings(num_products=30), None)
    assert (cost.products, cost.held) == (30, 20)
