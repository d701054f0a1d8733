"""Measure the speed of this machine: seconds of a net's calls, of the eigensolver's own work, and of an empty job."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from sharpest.config.project import Project
from sharpest.config.run import HessianSettings, ImageSettings, ImportedSettings, RunSettings, TokenSettings
from sharpest.config.sources import SOURCES
from sharpest.curvature.hessian import GraphSize
from sharpest.curvature.lanczos import largest_eigenpairs
from sharpest.data.dataset import RunData, ShuffledStream, Split
from sharpest.data.images import augment
from sharpest.data.tokens import TokenStream
from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel
from sharpest.pipeline.forecast import CallTime, Speed, Speeds, check_sizes, image_shape, net_of
from sharpest.trajectory.eigenpairs import hessian_at
from sharpest.trajectory.epoch import EpochLog, advance
from sharpest.trajectory.problem import Problem
from sharpest.trajectory.state import initial_state

# Assumed without a GPU: an A100 at a sixth of its 19.5 TFLOP/s in float32, as nets have few channels, and the time that
# PyTorch takes to launch one operation.
GPU_FLOPS = 3e12
GPU_OPERATION = 10e-6

SMALL, MIDDLE, LARGE = 4, 16, 128  # examples in a timed call; LARGE only for fast nets
FAST = 0.03  # a net is fast if a product on MIDDLE examples takes fewer seconds
REPEATS, LEAST, MOST = 3, 0.1, 1.0  # of one timing: least calls, least seconds, most seconds
STEPS, LARGEST_BASIS = 30, 200_000  # steps of the timed eigensolver, and its largest dimension
UPDATES = 4  # updates in one timing of training


def measure_speeds(project: Project) -> Speeds:
    """Time the nets of a scale on this machine.

    Raises:
        ConfigError: If the size of a data set is unknown until its files are read.
    """
    check_sizes(project)
    nets = {net_of(project.run(run)): run for run in project.run_ids}
    measured = {}
    for net, run in nets.items():
        print(f"timing {net}", file=sys.stderr, flush=True)
        measured[net] = measure_speed(project.run(run), project.hessian(run))
    return _all_speeds(measured)


def measure_speed(run: RunSettings, hessian: HessianSettings) -> Speed:
    """Time the calls of a run's net on random data of the same shapes.

    Args:
        run: The run, for its net, data set and augmentation.
        hessian: Settings of the Hessian, for whether its examples fit in one chunk.
    """
    torch.set_num_threads(run.torch_threads)
    chunks = min(2, -(-hessian.examples // hessian.chunk_size))
    cpu = {n: _calls(run, hessian, n, chunks, torch.device("cpu")) for n in (SMALL, MIDDLE)}
    seconds = {n: {what: _seconds(call, time.process_time) for what, call in calls.items()} for n, calls in cpu.items()}
    large = MIDDLE
    if seconds[MIDDLE]["product"] < FAST:
        large = LARGE
        calls = _calls(run, hessian, large, chunks, torch.device("cpu"))
        seconds[large] = {what: _seconds(call, time.process_time) for what, call in calls.items()}
    gpu_calls = None
    if torch.cuda.is_available():
        gpu_calls = {n: _calls(run, hessian, n, chunks, torch.device("cuda")) for n in (SMALL, LARGE)}
    costs = {}
    for what, per in (("update", UPDATES), ("forward", 1), ("product", chunks)):
        fixed, each = _line(SMALL, seconds[SMALL][what] / per, large, seconds[large][what] / per)
        if gpu_calls is None:
            operations, flops = _counts(cpu[SMALL][what])
            gpu = operations * GPU_OPERATION / per, flops / per / SMALL / GPU_FLOPS
        else:
            on_gpu = [_seconds(gpu_calls[n][what], _gpu_clock) / per for n in (SMALL, LARGE)]
            gpu = _line(SMALL, on_gpu[0], LARGE, on_gpu[1])
        costs[what] = CallTime(fixed, each, *gpu)
    problem = _problem(run, SMALL, torch.device("cpu"))
    num_parameters = problem.model.num_parameters
    return Speed(costs, _solver_seconds(num_parameters), num_parameters, _kept_bytes(problem) / SMALL)


def _calls(
    run: RunSettings, hessian: HessianSettings, n: int, chunks: int, device: torch.device
) -> dict[str, Callable[[], object]]:
    problem = _problem(run, n, device)
    state = initial_state(problem.settings, problem.model)
    train = problem.data.train
    hessian = hessian.model_copy(update={"examples": chunks * n, "chunk_size": n, "resample": False})
    operator = hessian_at(problem, state.theta, 0, hessian)
    vector = torch.randn_like(state.theta)

    def forward() -> Tensor:
        with torch.no_grad():
            return problem.model.loss(state.theta, train.inputs[:n], train.targets[:n])

    return {
        "update": lambda: advance(problem, state, UPDATES, EpochLog(), None),
        "forward": forward,
        "product": lambda: operator.product(vector),
    }


def _problem(run: RunSettings, n: int, device: torch.device) -> Problem:
    """The problem of a run on random data, with batches of n examples."""
    assert not isinstance(run.dataset, ImportedSettings)  # see check_sizes
    count, rng, dataset = UPDATES * n + n, torch.Generator().manual_seed(0), run.dataset
    shape: tuple[int, ...]
    if isinstance(dataset, TokenSettings):
        text = torch.randint(dataset.vocabulary, (count * (dataset.window + 1) * 2,), generator=rng).to(device)
        count = (len(text) - 1) // dataset.window
        train = Split(*(text[i : i + count * dataset.window].view(count, dataset.window) for i in (0, 1)))
        stream: Any = TokenStream(text, train, n, dataset.window, run.seed)
        shape, num_classes = (dataset.window, dataset.vocabulary), dataset.vocabulary
    else:
        source: Any = SOURCES[dataset.source]
        num_classes, change = source.num_classes, None
        if isinstance(dataset, ImageSettings):
            channels, height, _ = image_shape(run)
            side = run.model["image_size"] or height
            shape = (channels, side, side)
            inputs = torch.randn(count, *shape, generator=rng)
            if dataset.flip or dataset.shift:
                change = lambda images, draws: augment(images, draws, flip=dataset.flip, shift=dataset.shift)  # noqa: E731
        else:
            shape = dataset.length, dataset.vocabulary
            inputs = torch.randint(dataset.vocabulary, (count, dataset.length), generator=rng)
        train = Split(inputs.to(device), torch.randint(num_classes, (count,), generator=rng).to(device))
        stream = ShuffledStream(train, n, run.seed, change)
    data = RunData(train, train, train, stream, shape, num_classes, dataset.source, "")
    plain = run.model_copy(update={"batch_size": n, "full_batch": False, "nudge": None, "branch": None})
    module = build_model(run.model, shape, num_classes, run.seed, n).to(device)
    return Problem(plain, data, FlatModel(module, run.l2, run.loss))


def _seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """Median time of one call, after a warm-up."""
    call()
    times: list[float] = []
    while sum(times) < (LEAST if len(times) >= REPEATS else MOST):
        began = clock()
        call()
        times.append(clock() - began)
    return sorted(times)[len(times) // 2]


def _gpu_clock() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


def _line(few: int, seconds_few: float, many: int, seconds_many: float) -> tuple[float, float]:
    """Fixed seconds, and seconds per example, from two timings."""
    each = max(0.0, (seconds_many - seconds_few) / (many - few))
    return max(0.0, seconds_many - each * many), each


class _Operations(TorchDispatchMode):
    """Counts the operations that PyTorch launches."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def _counts(call: Callable[[], object]) -> tuple[int, float]:
    """Number of launched operations and of floating-point operations in a call."""
    with _Operations() as operations:
        call()
    with FlopCounterMode(display=False) as flops:
        call()
    return operations.count, float(flops.get_total_flops())


def _solver_seconds(dimension: int) -> float:
    """Seconds of one step of the eigensolver without its product, at a typical length of the basis."""
    timed = min(dimension, LARGEST_BASIS)
    rng = torch.Generator().manual_seed(0)
    spectrum = torch.randn(timed, generator=rng)
    began = time.process_time()
    pairs = largest_eigenpairs(lambda vector: spectrum * vector, spectrum, 1, 1e-12, min(STEPS, timed), rng)
    # passes over the basis grow with the dimension; for small nets, the small eigenproblems dominate and do not grow
    return (time.process_time() - began) / pairs.num_products * max(1.0, dimension / timed)


def _kept_bytes(problem: Problem) -> float:
    """Bytes that the graph of one gradient keeps, without the parameters."""
    size = GraphSize()
    theta = problem.model.initial().requires_grad_()
    batch = problem.data.train.first(SMALL)
    with saved_tensors_hooks(size.add, lambda tensor: tensor):
        problem.model.loss(theta, batch.inputs, batch.targets)
    total = size.bytes
    size.add(theta)  # adds nothing if the graph already keeps it
    return float(total - theta.nbytes * (size.bytes == total))


def _all_speeds(nets: dict[str, Speed]) -> Speeds:
    """The speeds of the nets, and the time and memory of empty jobs, measured in processes with the same imports."""
    torch_job = _idle("sharpest.measures.driver", "sharpest.measures.spectra.measure", "sharpest.pipeline.provenance")
    plain_job = _idle("sharpest.figures.lines")
    if torch.cuda.is_available():
        gpu = f"{torch.cuda.get_device_name()}, measured"
    else:
        gpu = (
            f"none on this machine; assumed {GPU_FLOPS / 1e12:g} TFLOP/s and {1e6 * GPU_OPERATION:g} us per operation, "
            "with counted operations"
        )
    return Speeds(nets, torch_job[0], plain_job[0], torch_job[1], plain_job[1], gpu)


def _idle(*modules: str) -> tuple[float, float]:
    """CPU seconds and bytes of memory of a job that does nothing."""
    code = (
        f"import sharpest.pipeline.startup, {', '.join(modules)}, os, resource\n"
        "usage = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    seconds, memory = map(float, done.stdout.split())
    return seconds, memory
