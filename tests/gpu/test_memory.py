"""Effects of a GPU's memory: how many graphs are kept, and the message if a graph does not fit."""

import pytest
import torch
from problems import SmallProblem, reduced_net
from stand_in_gpu import stand_in_gpu
from torch import Tensor

from sharpest.curvature.gpu import ChunkTooLargeError, free_bytes
from sharpest.curvature.hessian import Hessian

MIB = 2**20


@pytest.fixture(scope="module")
def problem() -> SmallProblem:
    return reduced_net("simple-cnn-same")


def on_gpu(problem: SmallProblem, loss=None) -> Hessian:
    chunks = [(inputs.to("cuda"), targets.to("cuda")) for inputs, targets in problem.chunks(3)]
    return Hessian(loss or problem.loss, problem.theta.float().to("cuda"), chunks)


@pytest.mark.parametrize(
    ("free", "share", "used", "reserved", "expected"),
    [
        (60, 1.0, 0, 0, 60),
        (60, 0.25, 0, 0, 20),  # a quarter of 80
        (10, 0.25, 0, 0, 10),  # others have used more than their share
        (60, 0.25, 15, 15, 5),
        (2, 0.25, 5, 8, 5),  # memory that PyTorch has cached for reuse
        (60, 0.25, 30, 30, 0),
    ],
)
def test_memory_available_to_a_process(free, share, used, reserved, expected, monkeypatch) -> None:
    with stand_in_gpu(free * MIB, 80 * MIB, share):
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device=None: used * MIB)
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device=None: reserved * MIB)
        assert free_bytes(torch.device("cuda")) == expected * MIB


def test_graphs_are_kept_in_half_of_the_share(problem: SmallProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two jobs on a GPU, each keeps half as many graphs; the product is the same."""
    monkeypatch.setattr("sharpest.curvature.hessian.GraphSize.bytes", MIB)
    with stand_in_gpu(8 * MIB, 8 * MIB) as gpu:
        whole = on_gpu(problem)
        expected = whole.product(torch.ones_like(whole.theta)).cpu()
    with stand_in_gpu(8 * MIB, 8 * MIB, share=0.5) as gpu:
        half = on_gpu(problem)
        assert torch.equal(half.product(torch.ones_like(half.theta)).cpu(), expected)
    assert (len(whole._kept), len(half._kept)) == (4, 2)
    assert gpu.reads == 1


def test_a_chunk_that_does_not_fit(problem: SmallProblem) -> None:
    def loss(theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with stand_in_gpu(3 * 2**29, 2**32), pytest.raises(ChunkTooLargeError) as caught:
        on_gpu(problem, loss)
    assert str(caught.value) == (
        "a chunk of 3 examples does not fit the memory of the GPU, of which this process can still take 1.50 GiB: "
        "lower chunk_size of hessian, or jobs_per_gpu if jobs share the GPU; nothing is lost"
    )
