"""Seconds of ten eigenpairs by one and by two processes of one thread each, on a transformer of about 10^6 parameters.

python benchmarks/processes.py [--repeats 3]
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing import spawn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from sharpest.curvature import Distributed, Hessian, eigenpairs

EXAMPLES, LENGTH, WORDS, WIDTH = 16, 32, 256, 128


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WORDS)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, 0.0, "gelu", batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 5, enable_nested_tensor=False)

    def forward(self, words: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernels have no second derivative
            return self.head(self.blocks(self.embed(words)))


def loss_of(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())


def work(rank: int, count: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=count)
    torch.manual_seed(0)
    net, words = Transformer(), torch.randint(WORDS, (EXAMPLES, LENGTH + 1))
    own = words[rank::count]
    hessian = Distributed(Hessian.of(net, loss_of, [(part[:, :-1], part[:, 1:]) for part in own.split(4)]))
    hessian.product(hessian.gradient)  # the first is slower
    began = time.perf_counter()
    pairs = eigenpairs(hessian, k=10)
    seconds = time.perf_counter() - began
    if rank == 0:
        Path(folder, "seconds").write_text(f"{seconds} {pairs.num_products} {len(hessian.theta)}")
    distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(parser.parse_args().repeats):
        for count in found:
            with tempfile.TemporaryDirectory() as folder:
                spawn(work, (count, folder), nprocs=count)
                seconds, products, parameters = Path(folder, "seconds").read_text().split()
            found[count].append(float(seconds))
            print(f"{count} processes: {float(seconds):.1f} s, {products} products, {parameters} parameters")
    medians = {count: sorted(seconds)[len(seconds) // 2] for count, seconds in found.items()}
    print(f"two processes take {medians[2] / medians[1]:.2f} of the time of one")


if __name__ == "__main__":
    main()
