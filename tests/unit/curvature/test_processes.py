from pathlib import Path

import numpy as np
import pytest
import torch
from spread import net_and_examples, work
from torch.multiprocessing import spawn
from torch.nn import functional

from sharpest.curvature import Distributed, Hessian, ProcessError, eigenpairs


def run(folder: Path, count: int, way: str = "") -> list[dict[str, object]]:
    spawn(work, (count, str(folder), way), nprocs=count)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(count)]


@pytest.mark.parametrize(
    ("count", "way"),
    [(2, ""), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((4, ""), (2, "ddp"), (2, "central")))],
)
def test_the_values_are_those_of_one_process_and_the_bits_those_of_all(tmp_path: Path, count: int, way: str) -> None:
    first, *others = run(tmp_path, count, way)
    for other in others:
        for name, value in first.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(other[name])), name
    net, inputs, targets = net_and_examples(way)
    whole = Hessian.of(net.eval(), functional.cross_entropy, [(inputs, targets)])
    pairs = eigenpairs(whole, k=3, tolerance=1e-5)
    if way == "central":
        assert (np.abs(first["values"] - pairs.eigenvalues) <= first["residuals"] * pairs.eigenvalues[0]).all()
        return
    np.testing.assert_allclose(first["values"], pairs.eigenvalues, rtol=1e-6)
    torch.testing.assert_close(first["gradient"], whole.gradient)


def test_a_process_that_dies_is_named(tmp_path: Path) -> None:
    spawn(work, (2, str(tmp_path), "dies"), nprocs=2)
    message = (tmp_path / "0.txt").read_text()
    assert message == "process 1 of 2 did not take part in sum 1; see why it ended or waits"


@pytest.mark.slow
def test_different_nets_are_refused(tmp_path: Path) -> None:
    spawn(work, (2, str(tmp_path), "different"), nprocs=2)
    for rank in range(2):
        message = (tmp_path / f"{rank}.txt").read_text()
        assert message == "the parameters of process 1 differ from those of process 0; broadcast them first"


def test_a_group_is_needed() -> None:
    net, inputs, targets = net_and_examples()
    with pytest.raises(ProcessError, match=r"^there is no group of processes; call torch.distributed.init_process"):
        Distributed(Hessian.of(net.eval(), functional.cross_entropy, [(inputs, targets)]))
