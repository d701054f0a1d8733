"""A synthetic measure, and a fixture that takes it along a run."""

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from builders import Run, Silent, hessian_settings, run_settings

from sharpest.config.measures import Cost, Measure
from sharpest.config.strict import Strict
from sharpest.measures.driver import measure_run
from sharpest.measures.point import Point
from sharpest.results.layout import MEASURED, Dataset, measured_layout
from sharpest.results.stored import Measured, Snapshots

P = 365
HESSIAN = hessian_settings(tolerance=1e-2)


class Settings(Strict):
    """Powers whose moments are computed; number of rows of stored vectors, 0 = none."""

    powers: tuple[int, ...] = (1, 2, 3)
    rows: int = 2


LAYOUT = measured_layout(
    "toy",
    1,
    Dataset("norm", "f8", ("t",), "", "|theta|"),
    Dataset("place", "i8", ("t",), "", "number of the point within its segment"),
    Dataset("moments", "f8", ("t", "j"), "", "means of powers of theta"),
    Dataset("powers", "i8", ("j",), "", "the powers"),
    Dataset("early", "f8", ("t",), "", "given at the first point of a segment"),
    Dataset("vector_index", "i8", ("v",), "", "rows of t whose vectors are kept"),
    Dataset("vectors", "f4", ("v", "q", "p"), "", "theta, scaled"),
)
TOY = Measure(
    title="toy",
    settings=Settings,
    layout=LAYOUT,
    cost=lambda settings, planned: Cost(),
    sizes=lambda settings, p: {"q": settings.rows or 2},
    constants=lambda settings: {"powers": np.array(settings.powers)},
)
Function = Callable[[Point, Settings], Any]


def values_at(point: Point, settings: Settings) -> dict[str, Any]:
    """A Python number, NumPy's, a tensor, a list; vectors as a tensor."""
    values = {
        "norm": float(point.theta.norm()),
        "place": np.int64(point.place),
        "moments": torch.stack([point.theta.double().pow(power).mean() for power in settings.powers]),
    }
    if point.place == 0:
        values["early"] = point.theta.double().mean()
    if settings.rows:
        values["vectors"] = torch.stack([point.theta * (row + 1) for row in range(settings.rows)])
    return values


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Snapshots at 0, 5, 10 and 20, the second of which is the best."""
    run = Run(tmp_path_factory.mktemp("driver"), run_settings(snapshot_every=2)).train()
    snapshots = Snapshots(run.snapshots)
    assert (snapshots.iteration.tolist(), snapshots.attributes["best"]) == ([0, 5, 10, 20], 1)
    return run


@pytest.fixture
def take(run, tmp_path, monkeypatch):
    """Take a measure as the workflow's script does; the test gives the function of a point."""
    silent = Silent().update

    def take(
        segments: Sequence[Sequence[int | str]],
        function: Function = values_at,
        settings: Settings | None = None,
        measure: Measure = TOY,
        stored: dict[str, Measured] | None = None,
        of: Run = run,
        progress: Callable[[int, str], None] = silent,
        name: str = "toy",
        **origin: str,
    ) -> Measured:
        module = ModuleType("sharpest.measures.toy.measure")
        monkeypatch.setattr(module, "measure", function, raising=False)
        monkeypatch.setitem(sys.modules, "sharpest.measures.toy", ModuleType("sharpest.measures.toy"))
        monkeypatch.setitem(sys.modules, "sharpest.measures.toy.measure", module)
        path = tmp_path / f"{name}.h5"
        attributes = {**dict.fromkeys(MEASURED, "here"), **origin}
        measure_run(
            measure, of.replay(), segments, settings or Settings(), HESSIAN, stored or {}, attributes, path,
            tmp_path / "work" / name, progress,
        )  # fmt: skip
        return Measured(path, measure.layout)

    return take
