"""A point is the same when a person opens it and when a measure takes it along a run."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from builders import (
    VGG,
    Run,
    branch_settings,
    dataset_settings,
    direction_settings,
    hessian_settings,
    nsgd_settings,
    run_settings,
    spectrum_settings,
)

import sharpest
from sharpest.config.run import HessianSettings
from sharpest.errors import StoreError
from sharpest.measures.evaluations import Settings as EvaluationSettings
from sharpest.measures.point import Point
from sharpest.results.stored import Measured, reader_of

HESSIAN = hessian_settings(resample=True, tolerance=1e-2)
# each point is a separate segment: none starts from carried values
POINTS = [0, 7, 12]
SEGMENTS = {"spectra": [[0], [7], [12]], "directions": [[0], [7], [12]], "evaluations": [["best"], ["last"]]}
SETTINGS: dict[str, Any] = {
    "spectra": spectrum_settings(),
    "directions": direction_settings(
        indices=(1, 3, 0, -1), num_gradients=2, alphas=(0.5, 2.0), grid=(-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0)
    ),
    "evaluations": EvaluationSettings(num_eigenpairs=3, examples=30, num_probes=8, loss_examples=25, early_epoch=1),
}
RUNS = {
    "sgd": run_settings(dataset=dataset_settings(flip=True, shift=0.125), l2=0.01, snapshot_every=2),
    "vgg": run_settings(model=VGG, momentum=0.5),
    "nsgd": run_settings(
        nudge=nsgd_settings(refresh_every=7, keep_vectors=True, hessian=HESSIAN.model_copy(update={"resample": False}))
    ),
}


def hessian_of(run: Run) -> HessianSettings:
    nudge = run.settings.nudge
    return nudge.hessian if nudge else HESSIAN


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory) -> Run:
    """A run with all measures taken at the points of one schedule."""
    run = Run(tmp_path_factory.mktemp(request.param), RUNS[request.param]).train()
    for measure, segments in SEGMENTS.items():
        run.measure(measure, segments, SETTINGS[measure], hessian=hessian_of(run))
    return run


@pytest.fixture(scope="module")
def sgd(tmp_path_factory) -> Run:
    return Run(tmp_path_factory.mktemp("point"), RUNS["sgd"]).train()


def open_point(run: Run, iteration: int) -> Point:
    return sharpest.open_point(run.settings.run, iteration, results=run.results)


def point_of(run: Run, iteration: int, stored: dict[str, Measured] | None = None, **changes: Any) -> Point:
    """A point as made by the driver."""
    replay = run.replay()
    return Point(replay, replay.walk(), iteration, HESSIAN, stored or {}, **changes)


@pytest.mark.parametrize("measure", SEGMENTS)
def test_a_measure_on_an_opened_point_gives_the_values_of_its_file(run, measure):
    """Bit for bit, except the clock."""
    function = import_module(f"sharpest.measures.{measure}.measure").measure
    taken = reader_of(measure)(run.paths.measured(measure, run.settings.run, "step"))
    assert len(taken.iteration) == len(SEGMENTS[measure])
    for iteration in taken.iteration.tolist():
        values = function(open_point(run, iteration), SETTINGS[measure])
        contents = taken.at(iteration)
        assert values.keys() == contents.keys() - {"iteration", "epoch"}
        for name in values.keys() - {"seconds"}:
            assert np.asarray(values[name], contents[name].dtype).tobytes() == contents[name].tobytes(), name


def test_an_opened_point_also_uses_pairs_computed_by_training(run):
    if run.settings.nudge is None:
        assert open_point(run, 7).recorded(3, with_vectors=True) is None
        return
    point = open_point(run, 7)
    pairs = point.recorded(3, with_vectors=True)
    np.testing.assert_array_equal(pairs.eigenvectors, point.eigenvectors)
    assert point.recorded(5, with_vectors=True) is None  # more than training computed
    assert point.on(10).recorded(3, with_vectors=True) is None  # of another Hessian
    assert open_point(run, 8).recorded(3, with_vectors=False) is None


def test_a_point_knows_its_run_before_its_state_is_replayed(sgd):
    point = point_of(sgd, 13)
    assert (point.run, point.iteration, point.place, point.carried) == (sgd.settings.run, 13, 0, {})
    assert (point.seed, point.num_parameters, point.settings) == (777, 365, HESSIAN)
    assert "state" not in vars(point)
    assert len(point.theta) == 365
    assert "state" in vars(point)


def test_the_state_is_that_of_the_replay(sgd):
    (state,) = sgd.replay().states([13])
    point = point_of(sgd, 13)
    assert torch.equal(point.theta, state.theta)
    assert point.lr == state.lr == 0.1
    assert torch.equal(point.start, sgd.problem().model.initial())
    assert not torch.equal(point.start, point.theta)


def test_a_branch_starts_at_its_branch_point(tmp_path):
    branch = Run(tmp_path, branch_settings(run_settings(), 2, lr_factor=0.1)).train()
    point = open_point(branch, 13)
    assert torch.equal(point.start, open_point(branch.trunk, 10).theta)
    assert point.lr == 0.01


def test_nothing_is_carried_from_one_opened_point_to_another(sgd):
    one, other = point_of(sgd, 3), point_of(sgd, 4)
    one.carried["start"] = 1
    assert other.carried == {}
    left = {"start": 1}
    assert point_of(sgd, 3, carried=left).carried is left


def test_another_number_of_examples_gives_another_point(sgd):
    """At most all examples, if more are requested; the first point is unchanged."""
    point = point_of(sgd, 7)
    before, loss = point.hessian.gradient.clone(), float(point.loss(point.theta))
    few, all_of_them = point.on(10), point.on(10_000)
    assert [len(at.targets) for at in (point, few, all_of_them)] == [20, 10, 40]
    assert [at.settings.examples for at in (point, few, all_of_them)] == [20, 10, 40]
    assert torch.equal(few.theta, point.theta)
    assert torch.equal(few.inputs, point.inputs[:10])
    for at in (few, all_of_them):
        assert float(at.loss(at.theta)) != pytest.approx(loss, rel=1e-3)
        assert not torch.allclose(at.hessian.gradient, before, rtol=1e-3)
    assert torch.equal(point.hessian.gradient, before)
    assert float(point.loss(point.theta)) == loss


def test_the_hessian_is_that_of_the_loss(sgd):
    """Its product, compared with differentiating the loss twice, in float64."""
    point = point_of(sgd, 7)
    vector = torch.randn(365, generator=torch.Generator().manual_seed(3))
    theta = point.theta.double().requires_grad_()
    (gradient,) = torch.autograd.grad(point.loss(theta), theta, create_graph=True)
    (exact,) = torch.autograd.grad(gradient, theta, vector.double())
    product = point.hessian.product(vector).double()
    torch.testing.assert_close(product, exact, atol=1e-4 * float(exact.abs().max()), rtol=0)


def test_random_numbers_depend_only_on_purpose_and_iteration(sgd):
    def drawn(iteration: int, purpose: str) -> float:
        return float(torch.rand((), generator=point_of(sgd, iteration).random(purpose)))

    torch.manual_seed(5)
    first = drawn(7, "probe")
    torch.rand(3)
    assert drawn(7, "probe") == first
    assert len({first, drawn(8, "probe"), drawn(7, "other")}) == 3


def test_the_clean_loss_has_the_requested_examples(sgd):
    """N of the Hessian by default, those of measured directions if there are any; also at other points."""
    sgd.measure("spectra", [[0]], SETTINGS["spectra"], schedule="clean", hessian=HESSIAN)
    path = sgd.measure("directions", [[0]], SETTINGS["directions"], schedule="clean", hessian=HESSIAN)
    directions = reader_of("directions")(path)
    problem, point = sgd.problem(), point_of(sgd, 7)
    measured = point_of(sgd, 7, {"directions": directions})

    def exact(count: int) -> float:
        return float(problem.mean_loss(point.theta, problem.data.train.first(count), 8))

    assert float(point.clean_loss(point.theta)) == exact(20)
    assert float(point.clean_loss(point.theta, 11)) == float(measured.clean_loss(point.theta, 11)) == exact(11)
    assert float(measured.clean_loss(point.theta)) == exact(24)
    opened = open_point(sgd, 7)
    assert float(opened.clean_loss(opened.theta)) == exact(24)
    assert len({exact(count) for count in (11, 20, 24)}) == 3


def test_values_of_other_measures_are_available_by_name(sgd):
    path = sgd.measure("spectra", [[0, 3]], SETTINGS["spectra"], schedule="seen", hessian=HESSIAN)
    spectra = reader_of("spectra")(path)
    point = point_of(sgd, 3, {"spectra": spectra})
    np.testing.assert_array_equal(point.stored("spectra")["eigenvalues"], spectra["eigenvalues"][1])
    np.testing.assert_array_equal(point.eigenvalues, spectra["eigenvalues"][1])
    np.testing.assert_array_equal(point.eigenvectors, spectra.row("eigenvectors", 1))
    elsewhere = point_of(sgd, 4, {"spectra": spectra})
    assert (elsewhere.eigenvalues, elsewhere.eigenvectors) == (None, None)
    for without, measure in ((point, "directions"), (elsewhere, "spectra")):
        with pytest.raises(
            StoreError, match=rf"^{measure} was not measured for scnn\S+ at iteration {without.iteration}; add"
        ):
            without.stored(measure)


def test_vectors_that_were_not_kept_are_named_with_the_remedy(sgd):
    settings = spectrum_settings(keep_vectors=False)
    path = sgd.measure("spectra", [[0]], settings, schedule="values", hessian=HESSIAN)
    point = point_of(sgd, 0, {"spectra": reader_of("spectra")(path)})
    assert point.eigenvectors is None
    assert len(point.eigenvalues) == 3
    with pytest.raises(KeyError, match=r"spectra has no eigenvectors at this point, .*needs=.*keep_vectors.*True"):
        point.stored("spectra")["eigenvectors"]
