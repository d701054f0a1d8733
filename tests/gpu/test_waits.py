"""How often the host waits for a GPU, counted on a stand-in: waiting limits a fast device."""

from collections.abc import Callable

import pytest
import torch
from problems import NETS, reduced_model, reduced_net, rng
from seven_nets import ALL, tiny_run
from stand_in_gpu import StandInGpu, stand_in_gpu
from tiers import fast
from torch import Tensor

from sharpest.curvature.density import spectral_density
from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Eigenpairs, largest_eigenpairs
from sharpest.trajectory.epoch import EpochLog, advance
from sharpest.trajectory.state import initial_state

PER_START = 3
"""Reads that a random start takes beside its product: lengths, and its coordinates in the basis."""


def hessian_of(name: str) -> Hessian:
    """The Hessian of a reduced net on the GPU, in chunks of 5 of its 12 examples."""
    problem, model = reduced_net(name, 20), reduced_model(name)
    loss = model.bind(model.buffers.to("cuda")).loss
    chunks = [(inputs.to("cuda"), targets.to("cuda")) for inputs, targets in problem.chunks(5)]
    return Hessian(loss, problem.theta.float().to("cuda"), chunks)


@pytest.mark.parametrize("free", [2**30, 0])
@pytest.mark.parametrize("name", fast(NETS, "simple-cnn-same", "text-cnn"))
def test_a_product_reads_nothing(name: str, free: int) -> None:
    """Whether memory suffices to keep the graphs or they are rebuilt."""
    with stand_in_gpu(free) as gpu:
        hessian = hessian_of(name)
        vector = torch.ones_like(hessian.theta)
        before = gpu.reads, gpu.uploads
        hessian.product(vector)
        assert (gpu.reads, gpu.uploads) == before


def solve(gpu: StandInGpu, product: Callable[[Tensor], Tensor], p: int, k: int) -> tuple[int, int]:
    """Numbers of products and reads of a solve."""
    like = torch.zeros(p, device="cuda")
    before = gpu.reads
    pairs = largest_eigenpairs(product, like, k, 1e-3, 400, rng(2))
    return pairs.num_products, gpu.reads - before


@pytest.mark.parametrize("name", fast(NETS, "text-cnn"))
def test_a_solve_reads_once_per_product(name: str) -> None:
    with stand_in_gpu() as gpu:
        hessian = hessian_of(name)
        products, reads = solve(gpu, hessian.product, len(hessian.theta), 3)
    assert products > 5
    assert reads <= products + PER_START * 2


@pytest.mark.parametrize(
    ("values", "k", "restarts"),
    [
        (torch.linspace(1, 2, 80), 4, True),  # converges so slowly that the basis is compressed
        (torch.tensor([5.0, 5.0, -5.0] + [0.0] * 60), 3, False),  # exhausted, and restarted
    ],
)
def test_a_hard_solve_reads_once_per_product(values: Tensor, k: int, restarts: bool) -> None:
    with stand_in_gpu() as gpu:
        diagonal = values.to("cuda")
        products, reads = solve(gpu, lambda vector: diagonal * vector, len(values), k)
    assert (products > 32) == restarts
    starts = 6  # the first, one that bears witness, and one for each copy of an eigenvalue
    assert reads <= products + PER_START * starts


def test_a_density_reads_once_per_product() -> None:
    """Plus the length of each probe."""
    with stand_in_gpu() as gpu:
        hessian = hessian_of("simple-cnn-same")
        before = gpu.reads
        density = spectral_density(hessian, num_probes=3, num_steps=8)
        assert density.num_products == 24
        assert gpu.reads - before <= density.num_products + 3


@pytest.mark.parametrize("name", fast(ALL, "simple-cnn-medium", "lstm", "vgg"))
def test_an_update_waits_for_nothing(name: str, tmp_path) -> None:
    """SGD, momentum, clipping, dropout, augmentation: the order and losses of an epoch stay on the device."""
    with stand_in_gpu() as gpu:
        run = tiny_run(name, tmp_path, nudge=None)
        problem = run.problem()
        state, log = initial_state(run.settings, problem.model), EpochLog()
        state = advance(problem, state, 1, log, None)
        before = gpu.reads, gpu.uploads
        advance(problem, state, 3, log, None)
        assert (gpu.reads, gpu.uploads) == before


def test_a_nudged_update_reads_nothing_but_its_solves(tmp_path) -> None:
    with stand_in_gpu() as gpu:
        run = tiny_run("resnet", tmp_path)
        problem = run.problem()
        directions = torch.eye(len(problem.model.initial()), device="cuda")[:1]
        state = initial_state(run.settings, problem.model)
        counted = []

        def solver(bound, theta, iteration, warm):
            counted.append(gpu.reads)
            return Eigenpairs(None, directions, None, None, True, 0, 0.0)

        before = gpu.reads
        advance(problem, state, 5, EpochLog(), solver)
        assert len(counted) == 2
        assert gpu.reads == before
