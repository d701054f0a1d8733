"""The files that each kind of study reads, and its requirements on schedules."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from sharpest.config.studies import KINDS, AnyStudy, Curve, Input, Study
from sharpest.errors import ConfigError
from sharpest.measures import density, directions, spectra

ROOT = Path(__file__).parents[3]
STUDIES = TypeAdapter(dict[str, AnyStudy]).validate_python(yaml.safe_load((ROOT / "config/studies.yaml").read_text()))

A = {"run": "a", "schedule": "step", "label": "A"}
B = {"run": "b", "schedule": "step", "label": "B"}
NAMED = {"a": {"run": "a", "label": "A"}, "b": {"run": "b", "label": "B"}}
PANELS = [{"title": "P", "curves": [A]}, {"title": "Q", "curves": [B]}]
LINES = [{"label": "low", "runs": ["a", "b"]}, {"label": "high", "runs": ["c"]}]
END_POINTS = {
    "title": "ends",
    "xlabel": "gamma",
    "points": [{"label": "low", "x": 0, "runs": ["a", "b"]}],
    "baseline": {"label": "SGD", "runs": ["d"]},
}
KEYS: dict[str, dict[str, Any]] = {
    "spectrum_evolution": {"rows": [A, B], "num_eigenvalues": 2},
    "largest_eigenvalues": {"rows": [PANELS], "num_eigenvalues": 2, "scale": "log", "composite": True},
    "first_stage": {"trunk": A, "branches": [B], "smoothing": 1},
    "restricted_steps": {
        "panels": [{"title": title, "curves": [NAMED[run] for run in title]} for title in ("ab", "a")]
    },
    "alignment": {"panels": PANELS, "smoothing": 1},
    "step_surface": {
        "rows": [A | {"change_limit": 1}],
        "direction": 1,
        "alphas": [0.5, 2],
        "grid_limit": 5,
        "layout": "row",
    },
    "learning_curves": {"panels": [A, B]},
    "nsgd_curves": {
        "schedule": "tracked",
        "panels": [{"title": "P", "quantity": "curvature", "lines": LINES}],
    },
    "measured": {
        "panels": [
            {"title": "P", "measure": "spectra", "column": "eigenvalues", "index": [0], "curves": [A, B]},
            {"title": "Q", "measure": "directions", "column": "loss", "curves": [B]},
            {"title": "R", "measure": "spectra", "column": "hvps", "curves": [B]},
        ]
    },
    "full_batch_edge": {"lines": [A, B | {"flow": "flow"}]},
    "phase_diagram": {"lines": [A, B]},
    "end_points": {"rows": [{"label": "SGD", "runs": ["a", "b"], "paper": {}}]},
    "spectral_density": {"panels": [A, B], "moments": ["start", 0.5, "peak"]},
    "edge_test": {"rows": [A, B]},
    "eigenvector_drift": {"rows": [A, B], "num_eigenvectors": 2},
}
"""A small study of each kind."""


def made(kind: str, **changes: Any) -> Study:
    return KINDS[kind].model_validate({"kind": kind, "caption": "", **KEYS[kind], **changes})


def files(kind: str, runs: str, schedule: str | None) -> list[Input]:
    return [Input(kind, run, schedule) for run in runs]


NOT_ALONG = ("nsgd_curves", "end_points", "full_batch_edge", "phase_diagram", "edge_test")
"""Kinds that look at schedules of other names or measures than those of :func:`step`."""


@dataclass
class Schedule:
    """A schedule on a run, with the attributes that a study reads."""

    name: str = "step"
    points: list[int | str] = field(default_factory=lambda: [0, 10])
    window: float | None = 2.0
    measures: dict[str, Any] = field(default_factory=dict)


def step(window: float | None = 2.0, without: str = "", **changes: dict[str, Any]) -> Schedule:
    """A schedule that takes everything that any figure draws; its measures can be changed, or one left out."""
    eigen = {"num_eigenpairs": 2, "accuracy_every": 1, "accuracy_examples": 10, "keep_vectors": True} | changes.get(
        "spectra", {}
    )
    along = {"indices": [1], "num_gradients": 2, "loss_examples": 10, "alphas": [0.5, 2], "grid": [-5, 0, 5]}
    measures = {
        "spectra": spectra.Settings.model_validate(eigen),
        "directions": directions.Settings.model_validate(along | changes.get("directions", {})),
        "density": density.Settings(),
    }
    measures.pop(without, None)
    return Schedule(window=window, measures=measures)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("spectrum_evolution", files("spectra", "ab", "step")),
        ("largest_eigenvalues", files("spectra", "ab", "step")),
        ("first_stage", files("spectra", "ab", "step") + files("history", "ab", None)),
        ("restricted_steps", files("snapshots", "ab", None)),
        ("alignment", files("spectra", "ab", "step") + files("directions", "ab", "step")),
        ("step_surface", files("spectra", "a", "step") + files("directions", "a", "step")),
        ("learning_curves", files("spectra", "ab", "step")),
        ("nsgd_curves", files("spectra", "abc", "tracked")),
        ("measured", files("spectra", "ab", "step") + files("directions", "b", "step")),
        ("spectral_density", files("density", "ab", "step") + files("spectra", "ab", "step")),
        ("eigenvector_drift", files("spectra", "ab", "step") + files("snapshots", "ab", None)),
        (
            "full_batch_edge",
            [*files("spectra", "ab", "step"), *files("snapshots", "ab", None), *files("gradient_flow", "b", "flow")],
        ),
        ("phase_diagram", files("first_steps", "ab", "step")),
        (
            "edge_test",
            [
                file
                for measure in ("interventions", "spectra", "gradient_sample", "critical")
                for file in files(measure, "ab", "step")
            ],
        ),
        (
            "end_points",
            [*files("evaluations", "ab", "ends"), *files("history", "ab", None), *files("snapshots", "ab", None)],
        ),
    ],
)
def test_files_behind_each_kind(kind: str, expected: list[Input]) -> None:
    study = made(kind)
    assert study.inputs() == expected
    assert study.reads == tuple(dict.fromkeys(file.kind for file in expected))


def test_histories_and_evaluations_are_read_for_the_runs_that_show_them() -> None:
    panels = [
        {"title": "P", "quantity": "curvature", "lines": LINES},
        {"title": "Q", "quantity": "accuracy", "lines": LINES[1:]},
    ]
    study = made("nsgd_curves", panels=panels, end_points=END_POINTS, ends="last")
    expected = files("spectra", "abc", "tracked") + files("history", "c", None) + files("evaluations", "abd", "last")
    assert study.inputs() == expected
    assert study.runs() == ["a", "b", "c", "d"]
    # measured along training
    assert [(curve.run, curve.schedule) for curve in study.curves()] == [(run, "tracked") for run in "abc"]


def test_every_file_of_the_studies_is_read_once() -> None:
    for study in STUDIES.values():
        inputs = study.inputs()
        assert len(set(inputs)) == len(inputs) > 0
        assert {file.kind for file in inputs} == set(study.reads)
        assert {file.run for file in inputs} == set(study.runs())


def test_panels_group_curves() -> None:
    for kind in ("largest_eigenvalues", "alignment"):
        assert [(title, [curve.run for curve in curves]) for title, curves in made(kind).groups()] == [
            ("P", ["a"]),
            ("Q", ["b"]),
        ]
    assert [(title, [curve.run for curve in curves]) for title, curves in made("first_stage").groups()] == [
        ("", ["a", "b"])
    ]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NOT_ALONG])
def test_a_schedule_that_takes_everything_suffices(kind: str) -> None:
    study = made(kind)
    for curve in study.curves():
        study.check(curve, step())
    for file in study.inputs():
        if file.schedule is not None:
            study.check(file, step())


@pytest.mark.parametrize(
    ("kind", "schedule", "message"),
    [
        (
            "spectrum_evolution",
            {"without": "spectra"},
            "schedules.step does not take spectra; add spectra to its measures",
        ),
        (
            "alignment",
            {"without": "directions"},
            "schedules.step does not take directions; add directions to its measures",
        ),
        (
            "alignment",
            {"directions": {"indices": [2]}},
            "direction 1 is not in schedules.step.measures.directions.indices; add it",
        ),
        (
            "alignment",
            {"spectra": {"accuracy_every": 0}},
            "accuracy is drawn; set schedules.step.measures.spectra.accuracy_every to at least 1",
        ),
        (
            "learning_curves",
            {"spectra": {"accuracy_every": 0}},
            "accuracy is drawn; set schedules.step.measures.spectra.accuracy_every to at least 1",
        ),
        (
            "step_surface",
            {"directions": {"indices": [0]}},
            "direction 1 is not in schedules.step.measures.directions.indices; add it",
        ),
        (
            "step_surface",
            {"directions": {"alphas": [2]}},
            "alphas [0.5] are not in schedules.step.measures.directions.alphas; add them",
        ),
        (
            "step_surface",
            {"directions": {"grid": [-1, 0, 1]}},
            "grid_limit 5 exceeds schedules.step.measures.directions.grid; widen it",
        ),
        (
            "step_surface",
            {"directions": {"grid": []}},
            "grid_limit 5 exceeds schedules.step.measures.directions.grid; widen it",
        ),
        (
            "largest_eigenvalues",
            {"spectra": {"num_eigenpairs": 1}},
            "num_eigenvalues 2 exceeds num_eigenpairs 1; raise schedules.step.measures.spectra.num_eigenpairs",
        ),
        (
            "spectrum_evolution",
            {"spectra": {"num_eigenpairs": 1}},
            "num_eigenvalues 2 exceeds num_eigenpairs 1; raise schedules.step.measures.spectra.num_eigenpairs",
        ),
        (
            "largest_eigenvalues",
            {"window": None},
            "the early window is drawn separately; set schedules.step.window_epochs",
        ),
        (
            "spectrum_evolution",
            {"window": None},
            "the early window is drawn separately; set schedules.step.window_epochs",
        ),
        (
            "eigenvector_drift",
            {"spectra": {"num_eigenpairs": 1}},
            "num_eigenvectors 2 exceeds num_eigenpairs 1; raise schedules.step.measures.spectra.num_eigenpairs",
        ),
        (
            "eigenvector_drift",
            {"spectra": {"keep_vectors": False}},
            "eigenvectors are drawn; set schedules.step.measures.spectra.keep_vectors to true",
        ),
        (
            "spectral_density",
            {"without": "density"},
            "schedules.step does not take density; add density to its measures",
        ),
    ],
)
def test_a_schedule_that_measures_too_little_is_refused(kind: str, schedule: dict[str, Any], message: str) -> None:
    study = made(kind)
    with pytest.raises(ConfigError) as raised:
        study.check(study.curves()[0], step(**schedule))
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("kind", "changes", "schedule"),
    [
        ("largest_eigenvalues", {"composite": False}, {"window": None}),
        ("spectrum_evolution", {"early": False}, {"window": None}),
        ("spectrum_evolution", {}, {"spectra": {"accuracy_every": 0}}),
    ],
)
def test_only_drawn_quantities_are_required(kind: str, changes: dict[str, Any], schedule: dict[str, Any]) -> None:
    study = made(kind, **changes)
    study.check(study.curves()[0], step(**schedule))


def test_end_points_are_read_where_the_best_and_the_last_are_measured() -> None:
    table, figure = made("end_points"), made("nsgd_curves", end_points=END_POINTS)
    ends = Schedule("ends", ["best", "last"], measures={"evaluations": object()})
    for study in (table, figure):
        file = Input("evaluations", "a", "ends")
        study.check(file, ends)
        with pytest.raises(ConfigError, match=r"read from schedules\.ends; set its points to 'best and last'"):
            study.check(file, Schedule("ends", [0, 10], measures=ends.measures))
        with pytest.raises(ConfigError, match=r"schedules\.ends does not take evaluations; add evaluations"):
            study.check(file, Schedule("ends", ["best", "last"]))
    # curves along training have separate points
    figure.check(Curve(run="a", label="", schedule="tracked"), Schedule("tracked", measures={"spectra": object()}))
