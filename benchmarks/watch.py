"""Cost of watching a training run: share of the time at budget=0.1, and seconds to the first value.

``python benchmarks/watch.py [seconds of each run]`` prints a table. Runs with and without a monitor alternate. Because
timings are noisy, CPU time is compared between runs, and wall time within a run.
"""

import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import sharpest

BUDGET = 0.1
TURNS = 2

FIRST = """
import time; began = time.perf_counter()
import torch; loaded = time.perf_counter()
import sharpest
inputs, labels = torch.randn(512, 20), torch.randint(4, (512,))
net = torch.nn.Sequential(torch.nn.Linear(20, 32), torch.nn.Tanh(), torch.nn.Linear(32, 4))
sharpest.watch(net, lambda net, batch: torch.nn.functional.cross_entropy(net(batch[0]), batch[1]), [(inputs, labels)])
print(loaded - began, time.perf_counter() - loaded)
"""


def perceptron() -> tuple[nn.Module, Tensor]:
    return nn.Sequential(nn.Linear(784, 200), nn.Tanh(), nn.Linear(200, 10)), torch.randn(500, 784)


def convolutions() -> tuple[nn.Module, Tensor]:
    layers = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1936, 10)), torch.randn(200, 1, 28, 28)


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return cross_entropy(model(batch[0]), batch[1])


def train(make: Callable[[], tuple[nn.Module, Tensor]], steps: int, watched: bool) -> tuple[float, float, int]:
    """CPU seconds of a run, the ratio of measuring time to training time, and the number of measurements."""
    torch.manual_seed(0)
    net, inputs = make()
    labels = torch.randint(10, (len(inputs),))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    cpu, wall = time.process_time(), time.perf_counter()
    monitor = sharpest.watch(net, loss, [(inputs, labels)], optimizer, every=1, budget=BUDGET) if watched else None
    for step in range(steps):
        chosen = torch.arange(64).add(step * 64).remainder(len(inputs))
        optimizer.zero_grad()
        loss(net, (inputs[chosen], labels[chosen])).backward()
        optimizer.step()
        if monitor is not None:
            monitor.step()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    measuring = monitor.values["seconds"] if monitor is not None else torch.zeros(0).numpy()
    return cpu, float(measuring.sum()) / (wall - float(measuring.sum())), len(measuring)


def steps_in(make: Callable[[], tuple[nn.Module, Tensor]], seconds: float) -> int:
    """Number of updates that take about ``seconds``."""
    return int(100 * seconds / train(make, 100, watched=False)[0])


def main(seconds: float = 20.0) -> None:
    torch.set_num_threads(1)
    print("net            measuring / training   CPU time with / without   measurements")
    for make in (perceptron, convolutions):
        steps = steps_in(make, seconds)
        turns = [(train(make, steps, watched=True), train(make, steps, watched=False)) for _ in range(TURNS)]
        share = sum(watched[1] for watched, _ in turns) / TURNS
        ratio = sum(watched[0] for watched, _ in turns) / sum(alone[0] for _, alone in turns)
        print(f"{make.__name__:<14} {share:>20.1%}   {ratio:>23.3f}   {turns[0][0][2]:>12}")
    # the second start finds the files of torch in the page cache, as it would after any use of torch
    runs = [subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True) for _ in range(2)]
    loading, first = map(float, runs[1].stdout.split())
    print(f"import torch {loading:.1f} s; then first value {first:.1f} s")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
