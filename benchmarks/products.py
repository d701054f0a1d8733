"""Cost of a Hessian-vector product and of a top-10 measurement, in gradients of the mean loss on the same examples.

python benchmarks/products.py [--scale small] [--examples 128]
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

from sharpest.config.project import load_project
from sharpest.curvature.hessian import Hessian
from sharpest.curvature.lanczos import largest_eigenpairs
from sharpest.data.sources.registry import SOURCES
from sharpest.job import tune_allocator
from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel
from sharpest.randomness import generator

ROOT = Path(__file__).resolve().parents[1]


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median CPU time of one call, after a warm-up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return sorted(times)[repeats // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="quick")
    parser.add_argument("--examples", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    tune_allocator()
    torch.set_num_threads(1)
    scale = load_project({"scale": options.scale}, ROOT / "config").scale
    channels, side, _ = SOURCES[scale.datasets["c10"].source].shape
    print("| net | parameters | gradient (s) | product (gradients) | top 10 at 1e-3 (gradients) | products |")
    print("|---|---|---|---|---|---|")
    for name in ("scnn", "r32"):
        settings = scale.models[name].model_dump(mode="json")
        size = settings["image_size"] or side
        model = FlatModel(build_model(settings, (channels, size, size), 10, seed=777))
        theta, rng = model.initial(), generator(777, "benchmark")
        inputs = torch.randn(options.examples, channels, size, size, generator=rng)
        targets = torch.randint(10, (options.examples,), generator=rng)

        def gradient(model=model, theta=theta, inputs=inputs, targets=targets) -> None:  # type: ignore[no-untyped-def]
            point = theta.clone().requires_grad_()
            torch.autograd.grad(model.loss(point, inputs, targets), point)

        vector = torch.randn(len(theta), generator=rng)
        hessian = Hessian(model.loss, theta, [(inputs, targets)])
        unit = seconds(gradient, options.repeats)
        product = seconds(lambda hessian=hessian, vector=vector: hessian.product(vector), options.repeats)
        began = time.process_time()
        pairs = largest_eigenpairs(hessian.product, vector, 10, 1e-3, 400, rng)
        whole = (time.process_time() - began) / unit
        print(
            f"| {name} | {len(theta):,} | {unit:.4f} | {product / unit:.2f} | {whole:.0f} | {pairs.num_products} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
