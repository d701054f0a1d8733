"""CUDA graphs, as far as testable without a GPU: off by default, refused on a CPU, and the order of a capture."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from problems import SmallProblem, reduced_net
from stand_in_gpu import stand_in_gpu
from torch import nn

from sharpest.curvature.hessian import Hessian


@pytest.fixture(scope="module")
def problem() -> SmallProblem:
    return reduced_net("simple-cnn-same")


def test_they_are_off_by_default(problem: SmallProblem) -> None:
    assert problem.hessian()._captured is None
    with stand_in_gpu():
        chunks = [(inputs.to("cuda"), targets.to("cuda")) for inputs, targets in problem.chunks(5)]
        assert Hessian(problem.loss, problem.theta.to("cuda"), chunks)._captured is None


def test_a_cpu_is_refused(problem: SmallProblem) -> None:
    message = "^cuda_graphs need a GPU, theta is on cpu; move it there, or leave them off$"
    with pytest.raises(ValueError, match=message):
        Hessian(problem.loss, problem.theta, problem.chunks(5), cuda_graphs=True)
    batches = [(torch.ones(2, 3), torch.zeros(2, 1))]
    with pytest.raises(ValueError, match=message):
        Hessian.of(nn.Linear(3, 1), nn.functional.mse_loss, batches, cuda_graphs=True)


class Driver:
    """Streams and graphs that only record the calls; a replay repeats the captured operations."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.current = "default"
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: _Stream(self, "side"))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: _Stream(self, self.current))
        monkeypatch.setattr(torch.cuda, "stream", self._on)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: _Graph(self))
        monkeypatch.setattr(torch.cuda, "graph", self._capture)

    @contextmanager
    def _on(self, stream: Any) -> Iterator[None]:
        self.current = stream.name
        yield
        self.current = "default"

    @contextmanager
    def _capture(self, graph: Any, stream: Any) -> Iterator[None]:
        self.calls.append(f"capture on {stream.name}")
        with self._on(stream):
            yield
        self.calls.append("end of capture")


class _Stream:
    def __init__(self, driver: Driver, name: str) -> None:
        self._driver, self.name = driver, name

    def wait_stream(self, other: "_Stream") -> None:
        self._driver.calls.append(f"{self.name} waits for {other.name}")


class _Graph:
    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def replay(self) -> None:
        self._driver.calls.append("replay")
        self.again()


def test_the_order_of_a_capture(problem: SmallProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs are built and captured on one stream, after three products on it; each later product is a replay."""
    driver = Driver(monkeypatch)
    with stand_in_gpu():
        chunks = [(inputs.to("cuda"), targets.to("cuda")) for inputs, targets in problem.chunks(5)]
        vectors = [problem.vector(seed).to("cuda") for seed in range(3)]
        plain = Hessian(problem.loss, problem.theta.to("cuda"), chunks)
        derivative = plain._kept_product
        expected = [plain.product(vector).cpu() for vector in vectors]
        monkeypatch.setattr(Hessian, "_graph", _noting(Hessian._graph, driver, "build"))
        monkeypatch.setattr(Hessian, "_kept_product", _noting(Hessian._kept_product, driver, "product"))
        captured = Hessian(problem.loss, problem.theta.to("cuda"), chunks, cuda_graphs=True)
        graph = captured._captured
        monkeypatch.setattr(_Graph, "again", lambda _: graph._image.copy_(derivative(graph._vector)), raising=False)
        actual = [captured.product(vector) for vector in vectors]
    around = ["side waits for default", "default waits for side"]
    assert driver.calls == [
        around[0], "build on side", "build on side", "build on side", around[1],
        around[0], "product on side", "product on side", "product on side", around[1],
        "capture on side", "product on side", "end of capture", "replay", "replay", "replay",
    ]  # fmt: skip
    for mine, other in zip(actual, expected, strict=True):
        assert torch.equal(mine.value, other)


def _noting(method: Any, driver: Driver, name: str) -> Any:
    def noted(self: Any, *args: Any) -> Any:
        driver.calls.append(f"{name} on {driver.current}")
        return method(self, *args)

    return noted
