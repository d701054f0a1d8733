"""The stored density against the dense spectrum of the loss, in float64."""

import numpy as np
import pytest
from builders import Run, dense_hessian, hessian_settings, run_settings

from sharpest.measures.density import MEASURE, Settings
from sharpest.results.stored import Measured

MODEL = {
    "kind": "resnet", "blocks_per_stage": 1, "widths": [1], "batch_norm": False, "running_momentum": 0.2,
    "image_size": None,
}  # fmt: skip
ALL = Settings(num_probes=500, num_steps=500, grid_points=50)
POINTS = [0, 7]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A net so small that all directions can be probed until their Krylov spaces are exhausted."""
    return Run(tmp_path_factory.mktemp("density"), run_settings(model=MODEL, epochs=2)).train()


def take(run: Run, settings: Settings, name: str, points: list[int] = POINTS) -> Measured:
    path, hessian = run.paths.measured("density", name, "a"), hessian_settings(chunk_size=20)
    return Measured(run.measure("density", [points], settings, path, hessian=hessian), MEASURE.layout)


@pytest.fixture(scope="module")
def exact(run) -> list[np.ndarray]:
    """All eigenvalues at each point."""
    problem, walk = run.problem(), run.replay().walk()
    inputs, targets = problem.data.train.inputs[:20], problem.data.train.targets[:20]
    thetas = [walk.to(point).theta for point in POINTS]
    return [np.linalg.eigvalsh(dense_hessian(lambda at: problem.model.loss(at, inputs, targets), at)) for at in thetas]


def test_every_number_with_all_probes(run, exact):
    measured = take(run, ALL, "all", POINTS[1:])
    assert measured.iteration.tolist() == POINTS[1:]
    for row, values in enumerate(exact[1:]):
        size = np.abs(values).max()
        assert measured.trace[row] == pytest.approx(values.sum(), rel=1e-4)
        assert measured.frobenius_sq[row] == pytest.approx((values**2).sum(), rel=1e-4)
        assert measured.lambda_max[row] == pytest.approx(values.max(), rel=1e-4)
        assert measured.lambda_min[row] == pytest.approx(values.min(), abs=1e-4 * size)
        for name in ("trace", "frobenius_sq"):
            assert measured[f"{name}_error"][row] <= 1e-6 * np.abs(measured[name][row])
        nodes, weights, grid = measured.nodes[row], measured.weights[row], measured.grid[row]
        assert nodes.shape == weights.shape == (len(values), len(values))
        assert measured.width[row] == pytest.approx(2e-3 * np.ptp(values), rel=1e-4)
        assert measured.density[row].sum() * (grid[1] - grid[0]) == pytest.approx(1, abs=1e-10)
        # any smoothing can be computed from the stored nodes: here the third moment
        third = (weights * nodes**3).sum(axis=1).mean() * len(values)
        assert third == pytest.approx((values**3).sum(), rel=1e-4)


def test_few_probes_are_within_their_error(run, exact):
    measured = take(run, Settings(num_probes=6, num_steps=12), "few")
    assert 12 < measured.hvps.min() <= measured.hvps.max() <= 72
    for row, values in enumerate(exact):
        assert abs(measured.trace[row] - values.sum()) < 4 * measured.trace_error[row]
        assert abs(measured.frobenius_sq[row] - (values**2).sum()) < 4 * measured.frobenius_sq_error[row]


def test_a_point_does_not_depend_on_the_others(run):
    settings = Settings(num_probes=2, num_steps=4)
    both, alone = take(run, settings, "both"), take(run, settings, "alone", POINTS[1:])
    np.testing.assert_array_equal(both.nodes[1], alone.nodes[0])
    assert not np.allclose(both.weights[0], both.weights[1])


def test_what_is_planned():
    settings = Settings(num_probes=6, num_steps=12)
    cost = MEASURE.cost(settings, None)
    assert (cost.products, cost.held) == (72, 18)
    assert MEASURE.sizes(settings, 10) == {"o": 6, "l": 10, "g": 1000}
