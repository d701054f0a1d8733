"""The numbers of a monitor are those of the pipeline at the same state, bit for bit."""

from pathlib import Path

import numpy as np
import torch
from builders import Run, hessian_settings
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import sharpest
from sharpest.measures.spectra import Spectra
from sharpest.trajectory.problem import chunks_of

torch.set_num_threads(1)
POINTS = [0, 3, 10]


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return cross_entropy(model(batch[0]), batch[1])


def test_eigenvalues_along_a_run(tmp_path: Path) -> None:
    """Also those that start from the previous eigenvectors."""
    run = Run(tmp_path).train()
    hessian = hessian_settings()
    run.measure_spectrum(POINTS, hessian=hessian, num_eigenpairs=3)
    expected = Spectra(run.spectrum())
    problem, monitor = run.problem(), None
    probe = chunks_of(problem.data.train.first(hessian.examples), hessian.chunk_size)
    net = problem.model.module
    for state in run.replay().states(POINTS):
        for name, value in problem.model.views(state.theta).items():
            net.get_parameter(name).data.copy_(value)
        if monitor is None:
            monitor = sharpest.watch(
                net, loss, probe, at=POINTS, quantities=["lambda_max", "eigenvalues"], num_eigenpairs=3,
                tolerance=hessian.tolerance, seed=problem.settings.seed,
            )  # fmt: skip
        while monitor.values["step"][-1] < state.iteration:
            monitor.step()
    measured = np.stack([monitor.values[f"eigenvalues_{number}"] for number in range(3)], axis=1)
    assert len(probe) == 3
    np.testing.assert_array_equal(measured, expected.eigenvalues)
    np.testing.assert_array_equal(monitor.values["lambda_max"], expected.lambda_max)
    np.testing.assert_array_equal(monitor.values["eigenvalues_products"], expected.hvps)
