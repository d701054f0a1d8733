"""Tests on a real GPU, compared with the CPU: ``make test-gpu``."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from problems import NETS, reduced_model, reduced_net, rng
from seven_nets import ALL, measured, on_cpu, tiny_run
from torch import Tensor, nn

from sharpest.curvature.gpu import ChunkTooLargeError
from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import Eigenpairs, largest_eigenpairs
from sharpest.results.stored import Snapshots
from sharpest.trajectory.epoch import EpochLog, advance
from sharpest.trajectory.problem import build_problem
from sharpest.trajectory.state import initial_state

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU it can use on this machine"),
]
AROUND_A_SOLVE = 4
"""Reads beside those of the products; see test_waits.py."""


@pytest.fixture(autouse=True)
def full_precision(tmp_path: Path) -> None:
    """The precision of every job: no TF32, deterministic convolutions."""
    run = tiny_run("simple-cnn", tmp_path / "precision")
    run.problem()
    build_problem(run.settings, run.data)


def hessian_of(name: str, dtype: torch.dtype, device: str, cuda_graphs: bool = False) -> Hessian:
    """The Hessian of a reduced net, in chunks of 5 of its 12 examples."""
    problem, model = reduced_net(name, 20), reduced_model(name)
    loss = model.bind(model.buffers.to(device)).loss
    chunks = [(inputs.to(device), targets.to(device)) for inputs, targets in problem.chunks(5)]
    return Hessian(loss, problem.theta.to(device, dtype), chunks, cuda_graphs=cuda_graphs)


def solve(hessian: Hessian, tolerance: float) -> Eigenpairs:
    return largest_eigenpairs(hessian.product, hessian.theta, 3, tolerance, 400, rng(2))


@contextmanager
def waits() -> Iterator[list[str]]:
    """PyTorch's warnings about host synchronisation."""
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode("default")
    found += [str(warning.message) for warning in caught if "synchronizing" in str(warning.message)]


@pytest.mark.parametrize("name", ALL)
def test_a_run_and_its_measures_are_those_of_the_cpu(name: str, tmp_path: Path) -> None:
    """Training, spectra, alpha study and end points; replays are exact on each device."""
    with on_cpu():
        expected = measured(tiny_run(name, tmp_path / "cpu", dropout=False))
    found = measured(tiny_run(name, tmp_path / "gpu", dropout=False))
    for key, values in expected.items():
        np.testing.assert_allclose(found[key], values, rtol=1e-2, atol=1e-4, err_msg=key)


@pytest.mark.parametrize("name", ALL)
def test_two_runs_have_the_same_bits(name: str, tmp_path: Path) -> None:
    first, second = (measured(tiny_run(name, tmp_path / folder)) for folder in ("first", "second"))
    for key, values in first.items():
        np.testing.assert_array_equal(second[key], values, err_msg=key)


def test_a_run_records_its_device(tmp_path: Path) -> None:
    run = tiny_run("simple-cnn", tmp_path).train()
    assert run.problem().model.initial().is_cuda
    assert Snapshots(run.snapshots)["theta"].dtype == np.float32


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize("name", NETS)
def test_products_are_those_of_the_cpu(name: str, dtype: torch.dtype, tolerance: float) -> None:
    vector = reduced_net(name, 20).vector(1).to(dtype)
    expected = hessian_of(name, dtype, "cpu").product(vector)
    found = hessian_of(name, dtype, "cuda").product(vector.to("cuda")).cpu()
    assert float((found - expected).norm()) <= tolerance * float(expected.norm())


@pytest.mark.parametrize("name", NETS)
def test_a_captured_product_is_the_same(name: str) -> None:
    vectors = [reduced_net(name, 20).vector(seed).to("cuda", torch.float32) for seed in range(3)]
    plain, captured = (hessian_of(name, torch.float32, "cuda", graphs) for graphs in (False, True))
    for vector in vectors:
        assert torch.equal(captured.product(vector), plain.product(vector))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
@pytest.mark.parametrize("name", NETS)
def test_eigenvalues_are_those_of_the_cpu(name: str, dtype: torch.dtype, tolerance: float) -> None:
    expected, found = (solve(hessian_of(name, dtype, device), tolerance / 10) for device in ("cpu", "cuda"))
    assert found.converged.all()
    scale = np.abs(expected.eigenvalues).max()
    np.testing.assert_allclose(found.eigenvalues, expected.eigenvalues, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("name", NETS)
def test_the_host_waits_once_per_product(name: str) -> None:
    hessian = hessian_of(name, torch.float32, "cuda")
    vector = torch.ones_like(hessian.theta)
    hessian.product(vector)
    with waits() as none:
        hessian.product(vector)
    assert not none
    with waits() as found:
        pairs = solve(hessian, 1e-3)
    assert len(found) <= pairs.num_products + AROUND_A_SOLVE


@pytest.mark.parametrize("name", ALL)
def test_an_update_waits_for_nothing(name: str, tmp_path: Path) -> None:
    run = tiny_run(name, tmp_path, nudge=None)
    problem = run.problem()
    state, log = initial_state(run.settings, problem.model), EpochLog()
    state = advance(problem, state, 1, log, None)
    with waits() as found:
        advance(problem, state, 3, log, None)
    assert not found


def test_a_chunk_that_does_not_fit() -> None:
    net = nn.Sequential(nn.Linear(1_000, 4_000), nn.Tanh(), nn.Linear(4_000, 10)).to("cuda")
    batches = [(torch.ones(20_000, 1_000, device="cuda"), torch.zeros(20_000, dtype=torch.long, device="cuda"))]

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)

    room = torch.cuda.memory_reserved() + 1_000 * 2**20
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.mem_get_info()[1])
    try:
        with pytest.raises(ChunkTooLargeError, match=r"chunk of 20000 examples .* lower chunk_size"):
            Hessian.of(net, loss, batches)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
