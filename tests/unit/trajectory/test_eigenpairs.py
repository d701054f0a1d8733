"""The examples of a Hessian, and the solver of NSGD."""

import numpy as np
import pytest
import torch
from builders import (
    Run,
    dataset_settings,
    dense_hessian,
    hessian_settings,
    largest_in_magnitude,
    nsgd_settings,
    run_settings,
)
from torch import nn

from sharpest.config.run import HessianSettings
from sharpest.curvature.differentiation import NotDeterministicError
from sharpest.curvature.lanczos import Eigenpairs
from sharpest.trajectory.eigenpairs import direction_solver, hessian_at, hessian_examples, solve_eigenpairs
from sharpest.trajectory.problem import Problem

# the largest of 365 eigenvalues, solved in float32 to a residual of 1e-5
ROUNDING = 1e-4


@pytest.fixture(scope="module")
def problem(tmp_path_factory) -> Problem:
    return Run(tmp_path_factory.mktemp("eigenpairs"), run_settings(l2=0.01, nudge=nsgd_settings())).problem()


def solve(problem: Problem, settings: HessianSettings, num_eigenpairs: int) -> Eigenpairs:
    """Solved at the start, cold."""
    operator = hessian_at(problem, problem.model.initial(), 0, settings)
    return solve_eigenpairs(problem, operator, 0, settings, num_eigenpairs)


def test_examples_are_the_first_or_redrawn_at_each_point(problem):
    first = hessian_examples(problem, 3, hessian_settings())
    assert torch.equal(first.inputs, problem.data.train.inputs[:20])
    drawn = [hessian_examples(problem, iteration, hessian_settings(resample=True)) for iteration in (3, 3, 4)]
    assert torch.equal(drawn[0].inputs, drawn[1].inputs)
    assert not torch.equal(drawn[0].inputs, drawn[2].inputs)


def test_runs_of_one_seed_share_the_examples(tmp_path):
    """Whatever their learning rate and batch size."""
    data = dataset_settings(flip=True, shift=0.1)
    one, other = (Run(tmp_path, run_settings(dataset=data, lr=lr, batch_size=size)).problem()
                  for lr, size in ((0.1, 8), (0.01, 5)))  # fmt: skip
    resampled = hessian_settings(resample=True)
    torch.testing.assert_close(hessian_examples(one, 5, resampled).inputs, hessian_examples(other, 5, resampled).inputs)


@pytest.fixture(scope="module")
def exact(problem) -> np.ndarray:
    """The four eigenvalues of largest magnitude at the start, from a dense Hessian in float64."""
    examples = hessian_examples(problem, 0, hessian_settings())
    dense = dense_hessian(
        lambda theta: problem.model.loss(theta, examples.inputs, examples.targets), problem.model.initial()
    )
    return largest_in_magnitude(dense, 4)


@pytest.mark.parametrize("chunk_size", [20, 8, 7])
def test_eigenvalues_are_those_of_a_dense_hessian_in_float64(problem, exact, chunk_size):
    """With the L2 term, over all examples, in any chunks."""
    settings = hessian_settings(chunk_size=chunk_size)
    pairs = solve(problem, settings, 4)
    np.testing.assert_allclose(pairs.eigenvalues, exact, atol=ROUNDING * np.abs(exact).max())
    assert pairs.converged.all()


def test_no_more_eigenpairs_than_parameters(problem, monkeypatch):
    seen = {}
    monkeypatch.setattr("sharpest.trajectory.eigenpairs.largest_eigenpairs", lambda *given: seen.update(k=given[2]))
    solve(problem, hessian_settings(), 1000)
    assert seen == {"k": 365}


def test_the_solver_of_nsgd_computes_its_number_of_pairs(problem):
    solver = direction_solver(problem)
    theta = problem.model.initial()
    pairs = solver(problem, theta, 5, torch.zeros_like(theta))
    assert pairs.eigenvectors.shape == (4, 365)
    again = solver(problem, theta, 5, torch.zeros_like(theta))
    assert torch.equal(pairs.eigenvectors, again.eigenvectors)


def test_sgd_has_no_solver(tmp_path):
    assert direction_solver(Run(tmp_path).problem()) is None


def test_a_random_loss_is_refused(tmp_path):
    problem = Run(tmp_path).problem()
    problem.model.module.classifier.append(nn.Dropout(0.5))
    problem.model.module.train()
    with pytest.raises(NotDeterministicError, match=r"classifier\.3 \(Dropout\) in training mode"):
        solve(problem, hessian_settings(), 2)
