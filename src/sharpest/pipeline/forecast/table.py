"""Turn jobs and speeds into hours, memory and disk space, by figure and table and in total."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sharpest.curvature.sizes import basis_size
from sharpest.pipeline.forecast.work import Job, net_of

PRODUCT_GRAPHS = 3  # graphs in memory during a product: of the loss, of its gradient, of the product


@dataclass(frozen=True)
class CallTime:
    """Seconds of a call on n examples, ``fixed + each * n``, on one CPU thread and on a GPU."""

    fixed: float
    each: float
    gpu_fixed: float
    gpu_each: float


@dataclass(frozen=True)
class Speed:
    """The speed of a net.

    Attributes:
        costs: Kind of call (update, forward, product) -> its time.
        solver: Seconds of the eigensolver's own work per product.
        num_parameters: Number of parameters p.
        bytes_each: Bytes per example that the graph of a gradient keeps.
    """

    costs: Mapping[str, CallTime]
    solver: float
    num_parameters: int
    bytes_each: float


@dataclass(frozen=True)
class Speeds:
    """Speeds of all nets, and CPU seconds and memory of an empty job with and without torch."""

    nets: Mapping[str, Speed]
    torch_job: float
    plain_job: float
    torch_bytes: float
    plain_bytes: float
    gpu: str


@dataclass(frozen=True)
class Need:
    """Forecast need of one or several jobs.

    Attributes:
        jobs: Number of jobs.
        cpu_hours: Hours on one core, if no GPU is used.
        gpu_hours: Hours of the jobs that use a GPU, if one is used.
        memory: Largest memory of a single job, bytes.
        disk: Size of the files that are kept, bytes.
    """

    jobs: int
    cpu_hours: float
    gpu_hours: float
    memory: float
    disk: float


def need_of(job: Job, speeds: Speeds) -> Need:
    """Forecast the need of one job."""
    if job.run is None or not job.calls:
        net = speeds.nets[net_of(job.run)] if job.run else None
        written = job.written + (4.0 * job.vectors * net.num_parameters if net else 0)
        return Need(1, speeds.plain_job / 3600, 0, speeds.plain_bytes + 2 * job.data_bytes, written)
    net = speeds.nets[net_of(job.run)]
    cpu, gpu, memory = speeds.torch_job + job.products * net.solver, speeds.torch_job, 0.0
    for calls in job.calls:
        cost, graphs = net.costs[calls.what], {"update": 1, "product": PRODUCT_GRAPHS, "forward": 0}[calls.what]
        cpu += calls.count * (cost.fixed + cost.each * calls.examples)
        gpu += calls.count * max(cost.gpu_fixed, cost.gpu_each * calls.examples)
        memory = max(memory, graphs * net.bytes_each * calls.examples)
    solver = basis_size(job.eigenpairs) + 2 * job.eigenpairs if job.eigenpairs else 0
    vector = 4.0 * net.num_parameters
    memory += speeds.torch_bytes + job.data_bytes + (solver + job.held + 4) * vector
    disk = 0 if job.temporary else job.vectors * vector + job.written
    return Need(1, cpu / 3600, gpu / 3600, memory, disk)


def sum_of(needs: Iterable[Need]) -> Need:
    """The need of several jobs together."""
    listed = list(needs)
    return Need(
        sum(need.jobs for need in listed),
        sum(need.cpu_hours for need in listed),
        sum(need.gpu_hours for need in listed),
        max((need.memory for need in listed), default=0),
        sum(need.disk for need in listed),
    )


COLUMNS = ("", "jobs", "CPU h", "GPU h", "memory GB", "disk GB")


def cells(name: str, need: Need) -> tuple[str, ...]:
    """The cells of one row."""
    hours = (f"{value:.3g}" if value < 100 else f"{value:.0f}" for value in (need.cpu_hours, need.gpu_hours))
    return (name, str(need.jobs), *hours, f"{need.memory / 1e9:.1f}", f"{need.disk / 1e9:.2f}")


def plain_table(rows: Iterable[tuple[str, ...]]) -> str:
    """A table with aligned columns, numbers to the right."""
    listed = [COLUMNS, *rows]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in listed
    )
