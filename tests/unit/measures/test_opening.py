"""Opening a run at an iteration: the parameters, and exactly the measured losses."""

import numpy as np
import pytest
import torch
from builders import (
    LOSS_EXAMPLES,
    VGG,
    Run,
    branch_settings,
    dataset_settings,
    dense_hessian,
    direction_settings,
    hessian_settings,
    largest_in_magnitude,
    lstm_settings,
    run_settings,
    write_images,
)
from torch.nn.functional import cross_entropy

import sharpest
from sharpest.errors import StoreError
from sharpest.measures.directions import MEASURE as DIRECTIONS
from sharpest.measures.spectra import MEASURE as SPECTRA
from sharpest.results.file import open_stored
from sharpest.results.snapshots import SNAPSHOTS

L2 = 0.01
POINTS = [0, 7, 12]
HESSIAN = hessian_settings(resample=True, chunk_size=8)
# eigenvalues in float32, solved to a residual of 1e-5
ROUNDING = 1e-4


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Augmented, with L2, new Hessian examples at each point, a snapshot every second epoch, three schedules."""
    settings = run_settings(l2=L2, dataset=dataset_settings(flip=True, shift=0.125), snapshot_every=2, lr=0.05)
    run = Run(tmp_path_factory.mktemp("point"), settings).train()
    coarse = hessian_settings(resample=True, tolerance=0.1)
    run.measure_spectrum([0, 4, 7], schedule="a_values", keep_vectors=False, hessian=coarse)
    run.measure_spectrum([12], schedule="z_values", keep_vectors=False, hessian=coarse)
    run.measure_spectrum(POINTS, hessian=HESSIAN)
    return run.measure_directions(
        direction_settings(indices=(1,), num_gradients=2, alphas=(1.0,), grid=(-2, -1, 0, 1, 2))
    )


def open_point(run: Run, iteration: int) -> sharpest.Point:
    return sharpest.open_point(run.settings.run, iteration, results=run.results)


def test_at_an_epoch_start_it_is_the_snapshot(run):
    with open_stored(run.snapshots, SNAPSHOTS) as file:
        for row, iteration in enumerate(file["iteration"].tolist()):
            point = open_point(run, iteration)
            assert (point.run, point.iteration) == (run.settings.run, iteration)
            np.testing.assert_array_equal(point.theta, file.row("theta", row))


def test_any_iteration_can_be_opened(run):
    """Within an epoch, and at the end of one without a snapshot; measured or not."""
    states = {state.iteration: state for state in run.replay().states(range(21))}
    for iteration in (1, 5, 7, 13, 19):
        point = open_point(run, iteration)
        assert torch.equal(point.theta, states[iteration].theta)
        assert (point.eigenvalues is None) == (iteration not in (4, *POINTS))
        assert torch.isfinite(point.loss(point.theta))


@pytest.mark.parametrize("iteration", POINTS)
def test_the_loss_has_the_measured_eigenpairs(run, iteration):
    """Compared with a dense Hessian in float64, at a float64 vector."""
    point = open_point(run, iteration)
    dense = dense_hessian(point.loss, point.theta)
    largest = np.abs(largest_in_magnitude(dense, 1)[0])
    with open_stored(run.spectrum(), SPECTRA.layout) as file:
        row = file["iteration"].tolist().index(iteration)
        np.testing.assert_array_equal(point.eigenvalues, file["eigenvalues"][row])
        np.testing.assert_array_equal(point.eigenvectors, file["eigenvectors"][row])
    np.testing.assert_allclose(point.eigenvalues, largest_in_magnitude(dense, 3), atol=ROUNDING * largest)
    for value, vector in zip(point.eigenvalues.numpy(), point.eigenvectors.double().numpy(), strict=True):
        np.testing.assert_allclose(dense @ vector, value * vector, atol=ROUNDING * largest)


def test_a_schedule_with_vectors_is_preferred(run):
    """Whether it comes before or after a schedule without; a point with values only has no vectors."""
    assert open_point(run, 7).eigenvectors is not None
    assert open_point(run, 12).eigenvectors is not None
    point = open_point(run, 4)
    assert point.eigenvalues.shape == (3,)
    assert point.eigenvectors is None


def test_the_clean_loss_is_that_of_the_directions(run):
    with open_stored(run.directions(), DIRECTIONS.layout) as file:
        for iteration, loss in zip(file["iteration"].tolist(), file["loss"], strict=True):
            point = open_point(run, iteration)
            assert float(point.clean_loss(point.theta)) == pytest.approx(loss, rel=1e-6)
            # and on the first clean examples
            split = run.problem().data.train.first(LOSS_EXAMPLES)
            with torch.no_grad():
                plain = cross_entropy(point.model(split.inputs), split.targets) + penalty(point)
            assert float(plain) == pytest.approx(loss, rel=1e-5)
            assert float(point.loss(point.theta)) != pytest.approx(loss, rel=1e-3)


def penalty(point: sharpest.Point) -> float:
    return L2 * sum(float((value.detach() ** 2).sum()) for value in point.model.parameters() if value.dim() > 1)


def test_the_model_has_these_parameters_and_is_in_inference_mode(run):
    point = open_point(run, 7)
    assert not point.model.training
    assert torch.equal(torch.nn.utils.parameters_to_vector(point.model.parameters()), point.theta)
    assert len(point.inputs) == len(point.targets) == 20
    with torch.no_grad():
        loss = float(cross_entropy(point.model(point.inputs), point.targets)) + penalty(point)
    assert float(point.loss(point.theta)) == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("name", ["loss", "clean_loss"])
def test_both_losses_run_in_the_dtype_of_theta_and_are_twice_differentiable(run, name):
    """The second derivative along a direction, compared with differences of the first."""
    point = open_point(run, 7)
    loss = getattr(point, name)
    assert loss(point.theta).dtype == torch.float32
    theta = point.theta.double().requires_grad_()
    value = loss(theta)
    assert value.dtype == torch.float64
    assert value.shape == ()
    assert value.item() == pytest.approx(loss(point.theta).item(), rel=1e-5)
    direction = torch.randn(365, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad(value, theta, create_graph=True)
    (product,) = torch.autograd.grad(gradient, theta, direction)

    def gradient_at(step: float) -> torch.Tensor:
        at = (theta.detach() + step * direction).requires_grad_()
        return torch.autograd.grad(loss(at), at)[0]

    step = 1e-6
    difference = (gradient_at(step) - gradient_at(-step)) / (2 * step)
    torch.testing.assert_close(product, difference, atol=1e-5 * float(product.abs().max()), rtol=0)


def test_the_hessian_of_the_measurement_overrides_that_of_the_run(tmp_path):
    """The run was trained with 20 examples in its notes, and later measured with 10."""
    run = Run(tmp_path).train().measure_spectrum([0], hessian=hessian_settings(examples=10, tolerance=0.1))
    assert len(open_point(run, 0).targets) == 10
    assert len(open_point(run, 3).targets) == 10


def test_an_iteration_outside_of_the_run_is_refused(run):
    for iteration in (-1, 21):
        with pytest.raises(ValueError, match=rf"run scnn-c10-\S+: iteration {iteration} lies outside.*0 to 20"):
            open_point(run, iteration)


@pytest.fixture(scope="module")
def branch(tmp_path_factory) -> Run:
    settings = branch_settings(run_settings(model=VGG, momentum=0.5), 2, "ctop", snapshot_every=3)
    return Run(tmp_path_factory.mktemp("branch"), settings).train()


def test_a_branch_can_be_opened_from_its_branch_point_on(branch):
    states = {state.iteration: state for state in branch.replay().states(range(10, 21))}
    for iteration in (10, 12, 17, 20):
        point = open_point(branch, iteration)
        assert (point.run, point.iteration) == (branch.settings.run, iteration)
        assert torch.equal(point.theta, states[iteration].theta)
    # at the branch point it is the trunk
    assert torch.equal(open_point(branch, 10).theta, open_point(branch.trunk, 10).theta)


@pytest.mark.parametrize("iteration", [0, 9, 21])
def test_an_iteration_outside_of_a_branch_is_refused(branch, iteration):
    with pytest.raises(ValueError, match=rf"ctop: iteration {iteration} lies outside the run, which has 10 to 20"):
        open_point(branch, iteration)


@pytest.mark.parametrize("settings", [run_settings(model=VGG, l2=L2), lstm_settings(l2=L2)], ids=["vgg", "lstm"])
def test_the_net_has_the_averages_of_the_point_and_is_in_inference_mode(tmp_path, settings):
    """So the model itself gives the loss whose curvature was measured."""
    run = Run(tmp_path, settings).train().measure_spectrum([7], hessian=hessian_settings())
    point = open_point(run, 7)
    (state,) = run.replay().states([7])
    assert torch.equal(torch.cat([value.flatten() for value in point.model.buffers()]), state.buffers)
    assert not any(layer.training for layer in point.model.modules())
    with torch.no_grad():
        logits = point.model(point.inputs)
    plain = float(cross_entropy(logits.flatten(0, -2), point.targets.flatten())) + penalty(point)
    assert float(point.loss(point.theta)) == pytest.approx(plain, rel=1e-5)
    exact = largest_in_magnitude(dense_hessian(point.loss, point.theta), 3)
    np.testing.assert_allclose(point.eigenvalues, exact, atol=ROUNDING * np.abs(exact).max())
    assert point.loss(point.theta.double()).dtype == torch.float64


def test_a_run_that_was_not_trained_is_named_with_the_remedy(run):
    with pytest.raises(
        StoreError, match=r"quick has no run 'scnn-c10-sgd-lr9-S8-s1'.* make it with: snakemake .*lr9-S8"
    ):
        sharpest.open_point("scnn-c10-sgd-lr9-S8-s1", 0, results=run.results)
    with pytest.raises(StoreError, match=r"paper does not exist; .* has quick"):
        sharpest.open_point(run.settings.run, 0, scale="paper", results=run.results)


def test_data_that_changed_after_training_are_refused(tmp_path):
    run = Run(tmp_path).train()
    write_images(run.data, name="other")
    with pytest.raises(StoreError, match=r"snapshots\.h5: was made from another \S+c10\.h5 than is there now"):
        open_point(run, 0)
