"""Settings of a scale for some runs: which value takes effect, and the refusal of each mistake with its line."""

import csv
from collections.abc import Callable

import pytest

from sharpest.config import scale_files
from sharpest.config.measures import Cost, Measure, declared
from sharpest.config.project import load_project
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


def test_unset_keys_have_their_defaults(scales: Scales) -> None:
    keys = load_project({"scale": "paper"}, scales.folder).scale_runs.keys(RESNET)
    assert keys.model_dump(exclude={"hessian", "variants", "measures", "schedules"}) == {
        "lr_factor": 1, "batch_factor": 1, "epochs": None, "branch_epoch": None, "snapshot_every": 1,
        "refresh_every": None, "clip_norm": None, "patience": None, "stop_patience": None,
    }  # fmt: skip


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


def test_runs_of_one_kind_share_their_settings(scales: Scales) -> None:
    """This keeps thousands of runs as fast to plan as a hundred."""
    runs = load_project({"scale": "paper"}, scales.folder).scale_runs
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
        scale_files.taken_values(keys, "fine", "")


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
        scale_files.taken_settings(keys, "fine", "")


# --- mistakes: (the scale from its third line on, parts of the message)

MISTAKES: dict[str, tuple[str, list[str]]] = {
    "pattern that fits no run": (
        'for_runs:\n  - {runs: "lstm-*", set: {epochs: 1}}\n  - {runs: "alexnet-*", set: {epochs: 3}}\n',
        ["mine.yaml, line 5: for_runs: pattern 'alexnet-*' fits no run of config/runs.tsv", "correct or remove it"],
    ),
    "key that runs have not": (
        'for_runs:\n  - {runs: "*", set: {epoch: 3}}\n',
        ["mine.yaml, line 4: unknown key 'for_runs.0.set.epoch'; did you mean epochs?"],
    ),
    "key of the scale, for some runs": (
        'for_runs:\n  - {runs: "*", set: {torch_threads: 3}}\n',
        ["mine.yaml, line 4: unknown key 'for_runs.0.set.torch_threads'"],
    ),
    "key beside set": (
        'for_runs:\n  - {runs: "*", epochs: 3}\n',
        ["mine.yaml, line 4: unknown key 'for_runs.0.epochs'"],
    ),
    "entry without a pattern": (
        "description: mine, too\nfor_runs:\n  - {set: {epochs: 3}}\n",
        ["mine.yaml, line 3: key 'description' is already in line 2; merge the two"],
    ),
    "two lists": (
        'for_runs:\n  - {runs: "*", set: {epochs: 3}}\n\nfor_runs:\n  - {runs: "*", set: {epochs: 4}}\n',
        ["mine.yaml, line 6: key 'for_runs' is already in line 3; merge the two"],
    ),
    "patterns as keys": (
        'for_runs: {"lstm-*": {epochs: 3}}\n',
        ["mine.yaml, line 3: for_runs should be a list, found {'lstm-*'"],
    ),
    "wrong type": (
        'for_runs:\n  - {runs: "*-fb-*", set: {}}\n  - runs: "*"\n    set:\n      hessian:\n        examples: many\n',
        ["mine.yaml, line 8: for_runs.1.set.hessian.examples should be a valid integer", "found 'many'"],
    ),
    "out of range": (
        'for_runs:\n  - {runs: "lstm-*", set: {lr_factor: 0}}\n',
        ["mine.yaml, line 4: for_runs.0.set.lr_factor should be greater than 0, found 0"],
    ),
    "misspelt key of the Hessian": (
        'for_runs:\n  - {runs: "lstm-*", set: {hessian: {exampels: 3}}}\n',
        ["mine.yaml, line 4: unknown key 'for_runs.0.set.hessian.exampels'; did you mean examples?"],
    ),
    # measures
    "measure that there is not": (
        "measures: {spektra: {accuracy_examples: 3}}\n",
        ["mine.yaml, line 3: unknown measure 'spektra'; did you mean spectra?"],
    ),
    "measure that there is not, for some runs": (
        'for_runs:\n  - {runs: "lstm-*", set: {schedules: {grid: {measures: {spectrum: {}}}}}}\n',
        ["mine.yaml, line 4: unknown measure 'spectrum'; did you mean spectra?"],
    ),
    "key that a measure has not": (
        "schedules:\n  grid:\n    measures: {spectra: {num_eigenpair: 3}}\n",
        ["line 5: unknown key 'schedules.grid.measures.spectra.num_eigenpair'; did you mean num_eigenpairs?"],
    ),
    "key that a measure has not, for some runs": (
        'for_runs:\n  - runs: "lstm-*"\n    set: {measures: {directions: {loss_exampels: 3}}}\n',
        ["line 5: unknown key 'for_runs.0.set.measures.directions.loss_exampels'; did you mean loss_examples?"],
    ),
    "wrong type of a measure's key": (
        "measures: {evaluations: {num_probes: 3}}\n",
        ["mine.yaml, line 3: measures.evaluations.num_probes should be greater than or equal to 4, found 3"],
    ),
    "wrong type of a measure's key, for some runs": (
        'for_runs:\n  - {runs: "lstm-*", set: {schedules: {grid: {measures: {spectra: {num_eigenpairs: x}}}}}}\n',
        ["line 4: for_runs.0.set.schedules.grid.measures.spectra.num_eigenpairs should be a valid integer"],
    ),
    "measure without a mapping": (
        "schedules:\n  ends:\n    measures:\n      spectra:\n",
        ["mine.yaml, line 6: schedules.ends.measures.spectra is empty; write {} to take it with its own settings"],
    ),
    "measure that lacks a key": (
        "schedules: {grid: {measures: {evaluations: {}, directions: {indices: [1]}}}}\n",
        ["fig04", "run r32-", "schedules.grid.measures.directions: num_gradients is missing; add it"],
    ),
    "measure without the one that it needs": (
        "schedules:\n  fine:\n    points: 3 points\n    measures: {directions: {indices: [1], num_gradients: 2}}\n",
        ["mine.yaml, line 4: schedules.fine.measures.directions needs spectra at the same points; add spectra to the "
         "schedule"],
    ),
    "measure without the one that it needs, for some runs": (
        'for_runs:\n  - {runs: "scnn-*", set: {schedules: {step: {measures: {spectra: null}}}}}\n',
        ["run scnn-", "schedules.step.measures.directions needs spectra at the same points; add spectra to"],
    ),
    "settings at odds": (
        "schedules: {step: {shard_points: 3, measures: {spectra: {accuracy_every: 2}}}}\n",
        ["mine.yaml, line 3: schedules.step.measures.spectra: accuracy_every 2 does not divide shard_points 3"],
    ),
    "settings at odds, for some runs": (
        'for_runs:\n  - {runs: "scnn-*", set: {schedules: {step: {measures: {spectra: {num_eigenpairs: 4}}}}}}\n',
        ["run scnn-c10-sgd-lr0.01-S128-s777: schedules.step.measures.directions: indices: direction 5 exceeds"],
    ),
    "more examples than there are": (
        'for_runs:\n  - {runs: "lstm-*", set: {measures: {spectra: {accuracy_examples: 99999}}}}\n',
        ["run lstm-", "measures.spectra.accuracy_examples 99999 exceeds 2499 training examples; lower measures."],
    ),
    "more examples than there are, in a schedule": (
        "schedules: {step: {measures: {directions: {loss_examples: 1298}}}}\n",
        ["run scnn-", "schedules.step.measures.directions.loss_examples 1298 exceeds 1297 training examples"],
    ),
    "more examples of a variant than there are": (
        "variants: {loss_examples: 1298}\n",
        ["run scnn-c10-sgd-lr0.01-S128-s777@e4/sgd: variants.loss_examples 1298 exceeds 1297 training examples"],
    ),
    # schedules
    "schedule that the scale has not": (
        'for_runs:\n  - {runs: "lstm-*", set: {schedules: {gird: {points: 3 points}}}}\n',
        ["mine.yaml, line 4: unknown schedule 'gird'; did you mean grid?"],
    ),
    "schedule for some runs alone": (
        'for_runs:\n  - {runs: "lstm-*", set: {schedules: {mine: {points: 3 points}}}}\n',
        ["mine.yaml, line 4: unknown schedule 'mine'; add it to the scale's own schedules"],
    ),
    "points that no study takes": (
        "schedules:\n  fine:\n    points: often\n    measures: {spectra: {num_eigenpairs: 2}}\n",
        ["mine.yaml, line 5: schedules.fine.points: schedule 'often' is not understood", "write 'every"],
    ),
    "points with a comma": (
        'for_runs:\n  - {runs: "*-fb-*", set: {schedules: {grid: {points: best and last, then every epoch}}}}\n',
        ["mine.yaml, line 4: unknown key 'for_runs.0.set.schedules.grid.then every epoch'; put the text before it in"],
    ),
    "end points and others": (
        "schedules:\n  grid:\n    points: best and last, then every epoch\n",
        ["mine.yaml, line 5: schedules.grid.points: schedule 'best and last, then every epoch' is not understood",
         "'best and last' alone"],
    ),
    "keys of a schedule as they were": (
        "schedules: {grid: {num_eigenpairs: 3}}\n",
        ["mine.yaml, line 3: unknown key 'schedules.grid.num_eigenpairs'"],
    ),
    # runs
    "plateau without patience": (
        'for_runs:\n  - {runs: "*-plat-*", set: {stop_patience: null}}\n',
        ["run 'r32-c10-nsgd-lr0.01-S128-g0.01-K5-plat-s777': the plateau rule needs patience and stop_patience"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_with_the_place_to_correct(mistake: str, scales: Scales) -> None:
    text, parts = MISTAKES[mistake]
    message = scales.refusal(text)
    assert [part for part in parts if part not in message] == [], message


def test_a_mistake_in_an_extended_scale_has_the_line_there(scales: Scales) -> None:
    path = scales.folder / "scales/paper.yaml"
    lines = path.read_text().splitlines()
    number = next(number for number, line in enumerate(lines, start=1) if "clip_norm: 5" in line)
    path.write_text(path.read_text().replace("clip_norm: 5", "clip_norm: five"))
    assert f"paper.yaml, line {number}: for_runs." in scales.refusal("")


def test_a_pattern_may_fit_a_run_of_the_scale_itself(scales: Scales) -> None:
    run = "scnn-c10-sgd-lr0.07-S64-s777"
    project = scales.load(f'runs: {{{run}: 9}}\nfor_runs:\n  - {{runs: "*-lr0.07-*", set: {{lr_factor: 1}}}}\n')
    assert (project.run(run).lr, project.run(run).epochs) == (0.07, 9)


def test_every_shipped_pattern_fits_a_run_of_the_table(scales: Scales) -> None:
    """Even if the scale's own runs are the only others."""
    with open(scales.folder / "runs.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for name in ("paper", "quick", "small"):
        assert set(load_project({"scale": name}, scales.folder).run_ids) == {row["run"] for row in rows}


def test_declared_measures_are_discovered() -> None:
    assert {name: declared(name).name for name in ("spectra", "directions", "evaluations")} == {
        "spectra": "spectra", "directions": "directions", "evaluations": "evaluations",
    }  # fmt: skip
