"""Settings of a scale for some runs: which value takes effect, and the refusal of each mistake with its line."""

from collections.abc import Callable

import pytest

from sharpest.config import scale_files
from sharpest.config.measures import Cost, Measure
from sharpest.config.project import Project, load_project
from sharpest.config.settings import RunKeys
from sharpest.config.strict import Strict
from sharpest.errors import ConfigError
from sharpest.results.layout import Dataset, Layout, measured_layout

from .conftest import Scales

LSTM, OTHER_LSTM = "lstm-ptb-sgd-lr1-S20-s777", "lstm-ptb-sgd-lr1-S32-s777"
STEP = "scnn-c10-sgd-lr0.01-S128-s777"
RESNET = "r32-c10-sgd-lr0.1-S128-s777"
PLATEAU = "r32-c10-sgd-lr0.1-S128-plat-s777"


# --- which value takes effect


def test_entries_override_plain_keys_and_later_entries_earlier_ones(scales: Scales) -> None:
    scales.keep_studies("tab1")
    project = scales.load(
        """
lr_factor: 3
for_runs:
  - {runs: "lstm-*", set: {lr_factor: 2, batch_factor: 0.5}}
  - {runs: "*-S32-*", set: {lr_factor: 5}}
batch_factor: 1
"""
    )
    assert project.run(LSTM).lr == 2
    assert project.run(OTHER_LSTM).lr == 5
    assert project.run("scnn-c10-sgd-lr0.05-S32-s777").lr == 0.25
    assert project.run(RESNET).lr == 0.3  # not 0.30000000000000004
    # wherever the plain key is in the file
    assert [project.run(run).batch_size for run in (LSTM, RESNET)] == [10, 128]


VARIANTS = {"num_eigenpairs": 1, "refresh_every": 1, "loss_examples": 1}


def test_a_file_overrides_everything_in_the_file_it_extends(scales: Scales) -> None:
    scales.keep_studies("tab1")
    scales.write(
        """extends: quick
description: between
epochs: 33
for_runs:
  - {runs: "lstm-*", set: {epochs: 3, hessian: {examples: 30, chunk_size: 10}}}
""",
        "between",
    )
    between = load_project({"scale": "between"}, scales.folder)
    assert (between.run(LSTM).epochs, between.hessian(LSTM).examples) == (3, 30)
    # quick gives lstm runs 64 examples in chunks of 64, in its own entries
    scales.write("extends: between\ndescription: mine\nepochs: 32\nhessian: {examples: 128}\n")
    mine = load_project({"scale": "mine"}, scales.folder)
    assert (mine.run(LSTM).epochs, mine.hessian(LSTM).examples, mine.hessian(LSTM).chunk_size) == (32, 128, 10)
    assert mine.scale.description == "mine"


def test_an_entry_can_say_none(scales: Scales) -> None:
    project = scales.load('for_runs:\n  - {runs: "lstm-*", set: {clip_norm: null}}\n')
    assert project.run(LSTM).clip_norm is None
    assert scales.load().run(LSTM).clip_norm == 5


def test_a_schedule_may_differ_by_run_in_every_part(scales: Scales) -> None:
    project = scales.load(
        """
for_runs:
  - runs: "lstm-*"
    set:
      measures: {spectra: {accuracy_examples: 70}}
      schedules:
        grid: {points: 5 points, window_epochs: 0.25, shard_points: 2, measures: {spectra: {num_eigenpairs: 3}}}
"""
    )
    lstm, scnn = project.schedule(LSTM, "grid"), project.schedule(STEP, "grid")
    assert (len(lstm.points), lstm.window, lstm.shard_points) == (5, 0.25, 2)
    assert [len(segment) for segment in lstm.segments] == [2, 2, 1]
    assert (lstm.measures["spectra"].num_eigenpairs, lstm.measures["spectra"].accuracy_examples) == (3, 70)
    assert (len(scnn.points), scnn.window, scnn.shard_points) == (20, 2, None)
    assert (scnn.measures["spectra"].num_eigenpairs, scnn.measures["spectra"].accuracy_examples) == (2, 1297)
    assert {curve for curve in project.curves_by_shards()[0] if curve.endswith("/grid")} == {
        f"{run}/grid" for run in project.run_ids if run.startswith("lstm-")
    }


def test_runs_of_one_kind_share_their_settings(paper: Project) -> None:
    """This keeps thousands of runs as fast to plan as a hundred."""
    runs = paper.scale_runs
    assert len({id(runs.keys(run)) for run in runs.epochs}) < len(runs.epochs) / 3
    assert runs.schedule(RESNET, "epochs") is runs.schedule(RESNET, "epochs")
    # at one batch size, every 4 iterations are the same iterations for any learning rate
    assert runs.schedule(RESNET, "grid").points is runs.schedule("r32-c10-sgd-lr0.05-S128-s777", "grid").points


def test_a_run_unsuitable_for_a_measure_is_refused_when_planned(scales: Scales) -> None:
    """With the run and the remedy."""
    scales.keep_studies("tab1")
    project = scales.load("schedules: {flow: {points: every epoch, measures: {gradient_flow: {}}}}")
    with pytest.raises(ConfigError, match=rf"^run {STEP}: schedules.flow.measures.gradient_flow: a gradient flow is"):
        project.schedule(STEP, "flow")
    full = next(run for run in project.scale_runs.epochs if "-fb-" in run and "-m0" not in run)
    assert "gradient_flow" in project.schedule(full, "flow").measures


# --- measures of a schedule


def test_a_schedule_overrides_the_scale(scales: Scales) -> None:
    project = scales.load(
        """
measures: {directions: {loss_examples: 50}}
schedules:
  step: {measures: {directions: {loss_examples: 40}}}
for_runs:
  - {runs: "scnn-*", set: {measures: {directions: {loss_examples: 30}}}}
"""
    )
    assert project.schedule(STEP, "step").measures["directions"].loss_examples == 40
    assert project.schedule(STEP, "late").measures["directions"].loss_examples == 30
    assert project.schedule("r32-c10-sgd-lr0.1-S128-s777", "alignment").measures["directions"].loss_examples == 50


def test_what_a_measure_needs_of_another_one_is_set(scales: Scales) -> None:
    project = scales.load("schedules: {step: {measures: {spectra: {keep_vectors: false}}}}\n")
    assert list(project.schedule(STEP, "step").measures) == ["spectra", "directions"]
    assert project.schedule(STEP, "step").measures["spectra"].keep_vectors
    assert not project.schedule(STEP, "grid").measures["spectra"].keep_vectors


def test_measures_are_listed_in_the_order_they_are_taken(scales: Scales) -> None:
    """After those that they need, whatever the order of keys."""
    project = scales.load(
        """
schedules:
  fine:
    points: 2 points
    measures: {evaluations: {}, directions: {indices: [1], num_gradients: 1}, spectra: {num_eigenpairs: 2}}
"""
    )
    assert list(project.schedule(STEP, "fine").measures) == ["spectra", "directions", "evaluations"]


def test_a_schedule_can_leave_out_a_measure_of_the_extended_scale(scales: Scales) -> None:
    message = scales.refusal("schedules: {step: {measures: {directions: null}}}\n")
    assert (
        "fig06 in config/studies.yaml: schedules.step does not take directions; add directions to its measures"
        in message
    )
    scales.keep_studies("fig01")
    project = scales.load("schedules: {step: {measures: {directions: null}}}\n")
    assert list(project.schedule(STEP, "step").measures) == ["spectra"]


def test_end_points_are_the_best_and_the_last_snapshot(scales: Scales) -> None:
    project = scales.load()
    ends = project.schedule(PLATEAU, "ends")
    assert (ends.points, ends.segments, ends.window) == (["best", "last"], [["best", "last"]], None)
    assert ends.measures["evaluations"].num_probes == 10
    branch = project.schedule("r32-c10-sgd-lr0.1-S128-L20-s777", "ends")
    assert branch.points == ["best", "last"]


def test_measures_that_need_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(name: str) -> Measure:
        needs = {{"a": "b", "b": "a"}[name]: {}}
        return Measure(name, RunKeys, Layout(name, 1, (), ()), lambda settings, point: Cost(), needs)

    monkeypatch.setattr(scale_files, "declared", made)
    schedule = {"points": "every epoch", "measures": {"a": {}, "b": {}}}
    hessian = {"examples": 1, "resample": False, "chunk_size": 1, "tolerance": 0.1, "max_products": 9}
    keys = RunKeys.model_validate({"hessian": hessian, "variants": VARIANTS, "schedules": {"fine": schedule}})
    with pytest.raises(ConfigError, match="measures a, b need each other"):
        scale_files.values_of_measures(keys, "fine", "")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (lambda settings, p: {}, "dimension m of norms has no length; give the declaration sizes, such as"),
        (lambda settings: {}, "sizes or constants: .* takes 1 positional argument but 2 were given"),
    ],
)
def test_every_dimension_of_a_measure_has_a_length(
    monkeypatch: pytest.MonkeyPatch, sizes: Callable[..., dict[str, int]], message: str
) -> None:
    layout = measured_layout("mine", 1, Dataset("norms", "f8", ("t", "m"), "", "norms"))
    measure = Measure("mine", Strict, layout, lambda settings, point: Cost(), sizes=sizes)
    monkeypatch.setattr(scale_files, "declared", lambda name: measure)
    hessian = {"examples": 1, "resample": False, "chunk_size": 1, "tolerance": 0.1, "max_products": 9}
    schedules = {"fine": {"points": "every epoch", "measures": {"mine": {}}}}
    keys = RunKeys.model_validate({"hessian": hessian, "variants": VARIANTS, "schedules": schedules})
    with pytest.raises(ConfigError, match=f"^measure mine: {message}.*; correct src/sharpest/measures/mine/"):
        scale_files.settings_of_measures(keys, "fine", "")


def test_a_pattern_may_fit_a_run_of_the_scale_itself(scales: Scales) -> None:
    run = "scnn-c10-sgd-lr0.07-S64-s777"
    project = scales.load(f'runs: {{{run}: 9}}\nfor_runs:\n  - {{runs: "*-lr0.07-*", set: {{lr_factor: 1}}}}\n')
    assert (project.run(run).lr, project.run(run).epochs) == (0.07, 9)
