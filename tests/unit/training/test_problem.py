"""The loss of a run, against the module in float64."""

import pytest
import torch
from builders import Run, dataset_settings, run_settings
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from sharpest.data.dataset import Split
from sharpest.errors import DataError
from sharpest.models.build import build_model
from sharpest.training.problem import Problem, build_problem, chunks_of

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
    """Logits and L2 term of the module itself in float64, and the module, in whose parameters they have their graph."""
    module = build_model(problem.settings.model, (1, 8, 8), 3, problem.settings.seed).double()
    vector_to_parameters(theta.double(), module.parameters())
    kernels = [value for name, value in module.named_parameters() if name.endswith("weight")]
    return module(inputs.double()), L2 * sum((kernel**2).sum() for kernel in kernels), module


def test_gradient_loss_and_correct_answers_are_those_of_the_module(problem, theta):
    batch = problem.stream.batch(3)
    gradient, loss, correct = problem.gradient(theta, batch)
    outputs, penalty, module = logits(problem, theta, batch.inputs)
    expected = cross_entropy(outputs, batch.targets) + penalty
    expected.backward()
    torch.testing.assert_close(loss.double(), expected.detach(), atol=ROUNDING, rtol=ROUNDING)
    wanted = parameters_to_vector([value.grad for value in module.parameters()])
    torch.testing.assert_close(gradient.double(), wanted, atol=ROUNDING, rtol=1e-4)
    assert int(correct) == int((outputs.argmax(1) == batch.targets).sum())
    assert not theta.requires_grad


def test_evaluation_leaves_out_l2_and_averages_over_all_examples(problem, theta, monkeypatch):
    """The last chunk is shorter than the others, and counts for less."""
    monkeypatch.setattr("sharpest.training.problem.EVALUATION_CHUNK", 7)
    loss, accuracy = problem.evaluate(theta, problem.data.train)
    with torch.no_grad():
        outputs, _, _ = logits(problem, theta, problem.data.train.inputs)
    targets = problem.data.train.targets
    assert loss == pytest.approx(float(cross_entropy(outputs, targets)), rel=ROUNDING)
    assert accuracy == float((outputs.argmax(1) == targets).double().mean())


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
    assert problem.stream.augmented
    assert len(problem.stream.batch(0)) == 7
    assert problem.stream.steps_per_epoch == settings.steps_per_epoch == 4
    assert torch.get_num_threads() == settings.torch_threads


def test_data_of_another_source_is_refused(tmp_path):
    run = Run(tmp_path)
    run.problem()
    with pytest.raises(DataError, match="holds digits, expected cifar-10"):
        build_problem(run_settings(dataset=dataset_settings(source="cifar-10")), run.data)
