"""Twenty steps of NSGD from a stored snapshot, against its definition in a few lines of float64."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from builders import Run, nsgd_settings, run_settings
from tiers import fast
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from sharpest.models.build import build_model
from sharpest.trajectory.problem import Problem

STEPS, FIRST, EVERY = 20, 5, 5


def gradient(problem: Problem, theta: np.ndarray, iteration: int) -> np.ndarray:
    """Gradient of the module itself on the batch of an update."""
    settings = problem.settings
    module = build_model(settings.model, problem.data.input_shape, problem.data.num_classes, settings.seed).double()
    vector_to_parameters(torch.from_numpy(theta), module.parameters())
    batch = problem.data.stream.batch(iteration)
    cross_entropy(module(batch.inputs.double()), batch.targets).backward()
    return parameters_to_vector([value.grad for value in module.parameters()]).numpy()


def definition(problem: Problem, file: h5py.File, correction: str) -> np.ndarray:
    """Inventory 1.6: d = m v - eta g; along the top K directions the step (v), the gradient (g), or both are scaled."""
    settings = problem.settings
    row = list(file["iteration"]).index(FIRST)
    theta, velocity = (file[name][row].astype(float) for name in ("theta", "velocity"))
    for iteration in range(FIRST, FIRST + STEPS):
        refresh = int(np.searchsorted(file["refresh_iteration"], iteration, side="right")) - 1
        top = file["eigenvectors"][refresh][: settings.nudge.num_directions].astype(float)

        def scaled(vector: np.ndarray, top: np.ndarray = top) -> np.ndarray:
            along = top.T @ (top @ vector)
            return vector - along + settings.nudge.gamma * along

        slope = gradient(problem, theta, iteration)
        step = settings.momentum * velocity - settings.lr * (scaled(slope) if correction in ("g", "both") else slope)
        velocity = step
        theta = theta + (scaled(step) if correction in ("v", "both") else step)
    return theta


@pytest.mark.parametrize("correction", fast(["v", "g", "both"], "both"))
@pytest.mark.parametrize("gamma", [0.01, pytest.param(5.0, marks=pytest.mark.slow)])
def test_replayed_steps_are_those_of_the_definition(tmp_path: Path, correction: str, gamma: float) -> None:
    nudge = nsgd_settings(gamma=gamma, correction=correction, refresh_every=EVERY, keep_vectors=True)
    run = Run(tmp_path, run_settings(momentum=0.9, lr=0.02, nudge=nudge, epochs=6)).train()
    (state,) = run.replay().states([FIRST + STEPS])
    problem = run.problem()
    with h5py.File(run.snapshots, locking=False) as file:
        expected = definition(problem, file, correction)
        other = definition(problem, file, {"v": "g", "g": "both", "both": "v"}[correction])
    theta = state.theta.double().numpy()
    scale = np.abs(expected).max()
    assert np.abs(theta - expected).max() <= 1e-6 * scale
    assert np.abs(theta - other).max() > 1e-4 * scale  # here the corrections differ
