"""The loss and the gradients of a run, compared with the module itself."""

import pytest
import torch
from builders import RESNET_BN, VGG, Run, dataset_settings, lstm_settings, run_settings
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from sharpest.curvature.hessian import Hessian
from sharpest.data.dataset import Split
from sharpest.data.randomness import derived_seed
from sharpest.errors import DataError
from sharpest.models.build import build_model
from sharpest.trajectory.problem import Problem, build_problem, chunks_of

# a net of 365 parameters in float32
ROUNDING = 1e-5
L2 = 0.01


@pytest.fixture(scope="module")
def problem(tmp_path_factory) -> Problem:
    return Run(tmp_path_factory.mktemp("problem"), run_settings(l2=L2)).problem()


@pytest.fixture
def theta(problem) -> Tensor:
    """Away from the start, where biases are zero."""
    noise = torch.randn(problem.model.num_parameters, generator=torch.Generator().manual_seed(1))
    return problem.model.initial() + 0.1 * noise


def logits(problem: Problem, theta: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor, nn.Module]:
    """Logits and L2 term of the module itself in float64, and the module, to whose parameters they are connected."""
    module = build_model(problem.settings.model, (1, 8, 8), 3, problem.settings.seed).double()
    vector_to_parameters(theta.double(), module.parameters())
    kernels = [value for name, value in module.named_parameters() if name.endswith("weight")]
    return module(inputs.double()), L2 * sum((kernel**2).sum() for kernel in kernels), module


def test_gradient_loss_and_correct_answers_are_those_of_the_module(problem, theta):
    batch = problem.data.stream.batch(3)
    gradient, loss, correct, cut = problem.training_gradient(theta, problem.model.buffers, 3)
    outputs, penalty, module = logits(problem, theta, batch.inputs)
    expected = cross_entropy(outputs, batch.targets) + penalty
    expected.backward()
    torch.testing.assert_close(loss.double(), expected.detach(), atol=ROUNDING, rtol=ROUNDING)
    target = parameters_to_vector([value.grad for value in module.parameters()])
    torch.testing.assert_close(gradient.double(), target, atol=ROUNDING, rtol=1e-4)
    assert float(correct) == float((outputs.argmax(1) == batch.targets).float().mean())
    assert not cut
    # without buffers and dropout training and inference are the same
    torch.testing.assert_close(problem.gradient(theta, batch), gradient)
    assert not theta.requires_grad
    assert not gradient.requires_grad
    assert not loss.requires_grad


TRAINED_OTHERWISE = {
    "resnet-bn": run_settings(model=RESNET_BN, l2=L2),
    "vgg": run_settings(model=VGG, l2=L2),
    "lstm": lstm_settings(l2=L2, clip_norm=None),
}


@pytest.fixture(params=TRAINED_OTHERWISE)
def other(request, tmp_path) -> Problem:
    return Run(tmp_path, TRAINED_OTHERWISE[request.param]).problem()


def own_module(problem: Problem) -> nn.Module:
    """A separate copy of a run's module."""
    settings, data = problem.settings, problem.data
    return build_model(settings.model, data.input_shape, data.num_classes, settings.seed, settings.batch_size)


def test_updates_see_the_net_in_training_mode(other):
    """Batch statistics, dropout by seed and iteration, the carried state: bit for bit those of the module itself."""
    module, theta, buffers = own_module(other).train(), other.model.initial(), other.model.buffers.clone()
    kernels = [value for value in module.parameters() if value.dim() > 1]
    for iteration in (3, 4):
        gradient, loss, correct, _ = other.training_gradient(theta, buffers, iteration)
        batch = other.data.stream.batch(iteration)
        torch.manual_seed(derived_seed(777, "dropout", iteration))
        outputs = module(batch.inputs)
        expected = cross_entropy(outputs.flatten(0, -2), batch.targets.flatten())
        expected = expected + L2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()
        target = parameters_to_vector(torch.autograd.grad(expected, list(module.parameters())))
        torch.testing.assert_close(gradient, target, atol=1e-7, rtol=1e-5)
        torch.testing.assert_close(loss, expected.detach(), atol=0, rtol=1e-6)
        assert float(correct) == pytest.approx(float((outputs.argmax(-1) == batch.targets).float().mean()))
        torch.testing.assert_close(buffers, torch.cat([value.flatten() for value in module.buffers()]))
    assert not torch.equal(buffers, other.model.buffers)


def test_measured_gradients_see_the_net_in_inference_mode(other):
    """With the bound buffers, which do not change; other random draws have no effect."""
    theta, batch = other.model.initial(), other.data.stream.batch(3)
    buffers = other.model.buffers.clone()
    other.training_gradient(theta, buffers, 0)
    here, kept = other.at(buffers), buffers.clone()
    module = own_module(other).eval()
    for name, value in other.model.buffer_views(buffers).items():
        module.get_buffer(name).copy_(value)
    kernels = [value for value in module.parameters() if value.dim() > 1]
    expected = cross_entropy(module(batch.inputs).flatten(0, -2), batch.targets.flatten())
    expected = expected + L2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()
    target = parameters_to_vector(torch.autograd.grad(expected, list(module.parameters())))
    gradient = here.gradient(theta, batch)
    torch.testing.assert_close(gradient, target, atol=1e-7, rtol=1e-5)
    torch.rand(3)
    assert torch.equal(here.gradient(theta, batch), gradient)
    assert torch.equal(buffers, kept)
    assert not torch.allclose(here.training_gradient(theta, buffers, 3)[0], gradient, rtol=0.01)


def test_evaluation_of_a_text_averages_over_its_words(tmp_path, monkeypatch):
    """Over windows of five in chunks of two, the last of one."""
    monkeypatch.setattr("sharpest.trajectory.problem.EVALUATION_CHUNK", 12)
    problem = Run(tmp_path, lstm_settings()).problem()
    split = problem.data.val.first(7)
    loss, accuracy = problem.evaluate(problem.model.initial() * 3, split)
    module = own_module(problem).double().eval()
    vector_to_parameters(problem.model.initial().double() * 3, module.parameters())
    with torch.no_grad():
        outputs = module(split.inputs)
    assert loss == pytest.approx(float(cross_entropy(outputs.flatten(0, 1), split.targets.flatten())), rel=ROUNDING)
    assert accuracy == float((outputs.argmax(2) == split.targets).double().mean())


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_a_long_gradient_is_scaled_down_to_the_bound(problem, theta, tmp_path, share):
    gradient, loss, correct, _ = problem.training_gradient(theta, problem.model.buffers, 3)
    limit = share * float(gradient.norm())
    clipping = Run(tmp_path, run_settings(l2=L2, clip_norm=limit)).problem()
    actual, *rest, cut = clipping.training_gradient(theta, problem.model.buffers, 3)
    assert bool(cut) == (share < 1)
    torch.testing.assert_close(actual, gradient * min(1.0, share))
    assert rest == [loss, correct]


def test_a_zero_gradient_is_not_clipped(tmp_path, monkeypatch):
    problem = Run(tmp_path, run_settings(clip_norm=1.0)).problem()
    theta = torch.zeros(problem.model.num_parameters)
    monkeypatch.setattr(problem.model, "criterion", lambda logits, targets: 0.0 * logits.sum())
    gradient, _, _, cut = problem.training_gradient(theta, problem.model.buffers, 0)
    assert not gradient.any()
    assert not cut


def test_evaluation_leaves_out_l2_and_averages_over_all_examples(problem, theta, monkeypatch):
    """The last chunk is shorter than the others, and has less weight."""
    monkeypatch.setattr("sharpest.trajectory.problem.EVALUATION_CHUNK", 7)
    loss, accuracy = problem.evaluate(theta, problem.data.train)
    with torch.no_grad():
        outputs, _, _ = logits(problem, theta, problem.data.train.inputs)
    targets = problem.data.train.targets
    assert loss == pytest.approx(float(cross_entropy(outputs, targets)), rel=ROUNDING)
    assert accuracy == float((outputs.argmax(1) == targets).double().mean())


@pytest.fixture(params=["images", "texts"])
def squared(request, tmp_path) -> Problem:
    """A run with the squared loss."""
    settings = run_settings(l2=L2) if request.param == "images" else lstm_settings(l2=L2, clip_norm=None)
    settings = settings.model_copy(update={"loss": "squared"})
    return Run(tmp_path, settings).problem()


def half_squared_distance(outputs: Tensor, targets: Tensor) -> Tensor:
    target = torch.eye(outputs.shape[-1])[targets]
    return 0.5 * (outputs - target).square().sum(-1).mean()


def test_a_run_with_the_squared_loss_is_trained_and_measured_on_it(squared):
    """Updates, gradients and the measured loss have L2, evaluation has none."""
    theta, data = squared.model.initial() * 2, squared.data
    kernels = [view for view in squared.model.views(theta).values() if view.dim() > 1]
    penalty = L2 * sum((kernel**2).sum() for kernel in kernels)
    batch = data.stream.batch(0)
    expected = half_squared_distance(squared.model.logits(theta, batch.inputs), batch.targets)
    torch.testing.assert_close(squared.model.loss(theta, batch.inputs, batch.targets), expected + penalty)

    buffers = squared.model.buffers.clone()
    seed = derived_seed(777, "dropout", 0)
    at = theta.clone().requires_grad_()
    loss = half_squared_distance(squared.model.training_logits(at, buffers.clone(), batch.inputs, seed), batch.targets)
    loss = loss + squared.model.penalty(at)
    gradient, actual, *_ = squared.training_gradient(theta, buffers.clone(), 0)
    torch.testing.assert_close(actual, loss.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(loss, at)[0])
    assert squared.training_loss(theta, buffers, 0) == float(actual)
    assert torch.equal(buffers, squared.model.buffers)  # nothing is overwritten

    outputs = squared.model.logits(theta, data.val.inputs)
    assert squared.evaluate(theta, data.val)[0] == pytest.approx(
        float(half_squared_distance(outputs, data.val.targets)), rel=ROUNDING
    )
    whole = half_squared_distance(squared.model.logits(theta, data.train.inputs), data.train.targets) + penalty
    torch.testing.assert_close(squared.mean_loss(theta, data.train, 7), whole)


def test_the_hessian_of_a_squared_loss_is_measured(squared):
    """Products in chunks, compared with differentiating the formula twice, in float64."""
    examples = squared.data.train.first(6)
    theta = squared.model.initial().double()

    def formula(at: Tensor) -> Tensor:
        outputs = squared.model.logits(at, examples.inputs)
        target = torch.eye(outputs.shape[-1], dtype=torch.float64)[examples.targets]
        return 0.5 * (outputs - target).square().sum(-1).mean() + squared.model.penalty(at)

    vector = torch.randn(len(theta), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    at = theta.clone().requires_grad_()
    (slope,) = torch.autograd.grad(formula(at), at, create_graph=True)
    (expected,) = torch.autograd.grad(slope, at, vector)
    operator = Hessian(squared.model.loss, theta, chunks_of(examples, 4))
    torch.testing.assert_close(operator.product(vector), expected, rtol=1e-9, atol=1e-11)


def test_chunks_hold_every_example_once():
    split = Split(torch.arange(10.0)[:, None], torch.arange(10))
    chunks = chunks_of(split, 4)
    assert [len(targets) for _, targets in chunks] == [4, 4, 2]
    assert torch.equal(torch.cat([targets for _, targets in chunks]), split.targets)
    assert torch.equal(torch.cat([inputs for inputs, _ in chunks]), split.inputs)


def test_the_model_is_initialised_by_the_seed_and_in_inference_mode(tmp_path):
    one, again, other = (Run(tmp_path, run_settings(seed=seed)).problem() for seed in (777, 777, 778))
    assert torch.equal(one.model.initial(), again.model.initial())
    assert not torch.equal(one.model.initial(), other.model.initial())
    assert not one.model.module.training


def test_the_settings_reach_data_and_stream(tmp_path):
    settings = run_settings(
        dataset=dataset_settings(train=30, flip=True, shift=0.1),
        model={**run_settings().model, "image_size": 10},
        batch_size=7,
    )
    problem = Run(tmp_path, settings).problem()
    assert problem.data.train.inputs.shape == (30, 1, 10, 10)
    batch = problem.data.stream.batch(0)
    assert len(batch) == 7
    clean = {tuple(image.flatten().tolist()) for image in problem.data.train.inputs}
    assert not all(tuple(image.flatten().tolist()) in clean for image in batch.inputs)  # augmented
    assert settings.steps_per_epoch == 4
    assert torch.get_num_threads() == settings.torch_threads


def test_data_of_another_source_is_refused(tmp_path):
    run = Run(tmp_path)
    run.problem()
    with pytest.raises(DataError, match="holds digits, expected cifar-10"):
        build_problem(run_settings(dataset=dataset_settings(source="cifar-10")), run.data)
