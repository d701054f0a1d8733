"""What one of several processes does with its share of the examples; results go to files."""

import os
from datetime import timedelta
from pathlib import Path

import torch
from little_nets import NETS
from torch import Tensor, distributed, nn
from torch.nn import functional

from sharpest.curvature import Distributed, Hessian, ProcessError, blocks, eigenpairs

SHARES = {1: [24], 2: [17, 7], 4: [3, 9, 1, 11]}
"""Examples of each process, by the number of processes."""


def net_and_examples(way: str = "") -> tuple[nn.Module, Tensor, Tensor]:
    """A net without kinks for central differences."""
    torch.manual_seed(3)
    return NETS["gru" if way == "central" else "transformer"](), torch.randn(24, 16), torch.randint(3, (24,))


def work(rank: int, count: int, folder: str, way: str) -> None:
    """Measure as one of ``count`` processes; ``way`` says what else happens."""
    torch.set_num_threads(1)
    path = Path(folder)
    distributed.init_process_group(
        "gloo", init_method=f"file://{path / 'group'}", rank=rank, world_size=count, timeout=timedelta(seconds=60)
    )
    module, inputs, targets = net_and_examples(way)
    if way == "different" and rank == 1:
        next(module.parameters()).data += 1
    net = nn.parallel.DistributedDataParallel(module) if way == "ddp" else module
    own = slice(sum(SHARES[count][:rank]), sum(SHARES[count][: rank + 1]))
    shard = list(zip(inputs[own].split(5), targets[own].split(5), strict=True))
    product = "central" if way == "central" else "exact"
    try:
        hessian = Distributed(Hessian.of(net.eval(), functional.cross_entropy, shard, product=product), timeout=20)
        if way == "dies" and rank == 1:
            os._exit(0)  # without a word, as after a kill
        pairs = eigenpairs(hessian, k=3, tolerance=1e-5 if product == "exact" else 1e-3)
        traces = {name: block.trace.value for name, block in blocks(hessian, {"last": "last.*"}).items()}
        found = {"values": pairs.eigenvalues, "vectors": pairs.eigenvectors, "gradient": hessian.gradient, **traces}
        torch.save({**found, "residuals": pairs.residuals}, path / f"{rank}.pt")
    except ProcessError as error:
        (path / f"{rank}.txt").write_text(str(error))
    distributed.destroy_process_group()
