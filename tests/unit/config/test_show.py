"""The settings of a run with their source lines, for a scale of this test whose lines are counted by hand."""

import re

import pytest

from sharpest.config.project import load_project
from sharpest.config.show import show
from sharpest.errors import ConfigError

from .conftest import ROOT, Scales

LSTM = "lstm-ptb-sgd-lr1-S20-s777"
STEP = "scnn-c10-sgd-lr0.01-S128-s777"
BRANCH = "r32-c10-sgd-lr0.1-S128-L20-s777"
MINE = "config/scales/mine.yaml"

# from line 3 on
TEXT = """
lr_factor: 3
models:
  scnn: &net {width: 4, image_size: 16}
  scnnM:
    <<: *net
    hidden: 16
hessian: &hessian {tolerance: 0.01}
schedules:
  step:
    window_epochs: 12
    measures:
      directions: {num_gradients: 5}
for_runs:
  - runs: "lstm-*"
    set:
      hessian: {<<: *hessian, examples: 50}
      measures:
        spectra: {accuracy_examples: 90}
  - {runs: "lstm-*-S20-*", set: {lr_factor: 7, clip_norm: null}}
  - {runs: "scnn-*", set: {schedules: {step: {measures: {directions: {alpha_every: 2}}}}}}
"""


def rows_of(page: str) -> dict[str, dict[str, tuple[str, str]]]:
    """First word of a heading -> name -> value and origin."""
    parts: dict[str, dict[str, tuple[str, str]]] = {}
    for block in page.split("\n\n"):
        head, *lines = block.splitlines()
        name = " ".join(head.split(",")[0].split()[:2]) if parts else "run"
        cells = [re.split(r" {2,}", line.strip()) for line in lines]
        parts[name] = {row[0]: (row[1], row[2]) for row in cells}
        assert len(parts[name]) == len(lines)
    return parts


@pytest.fixture
def mine(scales: Scales) -> Scales:
    scales.load(TEXT)
    return scales


def shown(scales: Scales, run: str) -> dict[str, dict[str, tuple[str, str]]]:
    return rows_of(show(load_project({"scale": "mine"}, scales.folder), run))


def test_a_value_is_shown_with_its_line(mine: Scales) -> None:
    parts = shown(mine, LSTM)
    assert parts["run"]["lr"] == ("7.0", f"the id, times lr_factor 7 of {MINE}:22, for lstm-*-S20-*")
    assert parts["run"]["clip_norm"] == ("none", f"{MINE}:22, for lstm-*-S20-*")
    assert parts["run"]["momentum"] == ("0.0", "the id")
    assert parts["run"]["patience"] == ("none", "the id, without the plateau rule")
    assert parts["hessian"]["examples"] == ("50", f"{MINE}:19, for lstm-*")
    assert parts["schedule grid"]["spectra.accuracy_examples"] == ("90", f"{MINE}:21, for lstm-*")
    assert parts["schedule grid"]["shard_points"] == ("none", "default")
    assert parts["schedule grid"]["spectra.keep_vectors"] == ("false", "default")


def test_lines_of_anchors_and_merges_are_those_of_their_origin(mine: Scales) -> None:
    assert shown(mine, LSTM)["hessian"]["tolerance"] == ("0.01", f"{MINE}:10, for lstm-*")
    assert shown(mine, STEP)["hessian"]["tolerance"] == ("0.01", f"{MINE}:10")
    model = shown(mine, "scnnM-c10-sgd-lr0.01-S128-plat-s777")["model scnnM"]
    assert model["width"] == ("4", f"{MINE}:6")
    assert model["hidden"] == ("16", f"{MINE}:9")


def test_each_line_of_an_inherited_value_is_that_of_its_file(mine: Scales) -> None:
    step, quick = shown(mine, STEP), "config/scales/quick.yaml"
    for part, key, name in (
        ("data set", "train", quick), ("model scnn", "kernel_size", "config/scales/paper.yaml"),
        ("schedule step", "points", quick), ("schedule step", "directions.grid", "config/scales/paper.yaml"),
    ):  # fmt: skip
        part = next(other for other in step if other.startswith(part))
        value, origin = step[part][key]
        file, _, number = origin.partition(",")[0].rpartition(":")
        assert file == name
        line = (mine.folder.parent / file).read_text().splitlines()[int(number) - 1]
        assert key.rpartition(".")[2] in line or "&digits" in line or "&tiny" in line, (key, line)
        assert value.strip("[]").split(",")[0].removesuffix(".0") in line
    assert step["schedule step"]["window_epochs"] == ("12.0", f"{MINE}:13")
    assert step["schedule step"]["directions.num_gradients"] == ("5", f"{MINE}:15")
    assert step["schedule step"]["directions.alpha_every"] == ("2", f"{MINE}:23, for scnn-*")
    assert step["schedule step"]["spectra.keep_vectors"] == ("true", "directions needs it")


def test_the_studies_of_a_schedule_and_its_points_are_named(mine: Scales) -> None:
    project = load_project({"scale": "mine"}, mine.folder)
    page = show(project, STEP)
    takers = [
        name for name in project.studies
        if (STEP, "step") in {(source.run, source.schedule) for source in project.study(name).inputs()}
    ]  # fmt: skip
    assert len(takers) > 2
    assert f"schedule step, for {', '.join(takers)}\n" in page
    points = project.schedule(STEP, "step").points
    assert shown(mine, STEP)["schedule step"]["number of points"] == (str(len(points)), f"0 to {points[-1]}")


def test_lengths_come_from_the_table_or_the_scale(scales: Scales) -> None:
    paper = load_project({"scale": "paper"}, scales.folder)
    value, origin = rows_of(show(paper, STEP))["run"]["epochs"]
    file, _, line = origin.rpartition(":")
    assert file == "config/runs.tsv"
    assert (scales.folder / "runs.tsv").read_text().splitlines()[int(line) - 1] == f"{STEP}\tA\t{value}"
    run = "scnn-c10-sgd-lr0.07-S64-s777"
    scales.write(f"extends: paper\ndescription: mine\nruns:\n  {run}: 9\n")
    assert shown(scales, run)["run"]["epochs"] == ("9", f"{MINE}:4")


def test_every_setting_of_every_run_is_shown() -> None:
    """Of training, data set, model and Hessian, and of each measure that a study takes."""
    project = load_project({"scale": "quick"}, ROOT / "config")
    for run in project.run_ids:
        parts, settings = rows_of(show(project, run)), project.run(run)
        expected = set(type(settings).model_fields) - {"run", "dataset_name", "dataset", "model", "nudge", "branch"}
        expected |= {f"branch.{key}" for key, _ in settings.branch or ()}
        expected |= {f"nudge.{key}" for key, _ in settings.nudge or () if key != "hessian"}
        assert set(parts["run"]) == expected | {"iterations"}
        assert set(parts["hessian"]) == {key for key, _ in project.hessian(run)}
        assert set(parts[f"model {run.split('-')[0]}"]) == set(settings.model)
        for name, rows in parts.items():
            if name.startswith("schedule "):
                measures = project.schedule(run, name.partition(" ")[2]).measures
                keys = {f"{measure}.{key}" for measure, taken in measures.items() for key, _ in taken}
                assert set(rows) == keys | {"points", "number of points", "window_epochs", "shard_points"}
        assert all(origin for rows in parts.values() for _, origin in rows.values())


def test_branches_and_steps_of_their_own(mine: Scales) -> None:
    branch = shown(mine, BRANCH)["run"]
    assert branch["branch.parent"] == ("r32-c10-sgd-lr0.1-S128-s777", "the id")
    assert branch["branch.epoch"][0] == "2"
    assert re.fullmatch(r"config/scales/quick\.yaml:\d+, for \*-L20-s777", branch["branch.epoch"][1])
    variant = shown(mine, f"{STEP}@e4/x2")["run"]
    assert variant["nudge.gamma"] == ("2.0", "the id")
    assert re.fullmatch(r"config/scales/quick\.yaml:\d+", variant["nudge.refresh_every"][1])


def test_changes_of_the_command_line_are_named(scales: Scales) -> None:
    project = scales.load(
        "measures: {spectra: {accuracy_examples: 99}, evaluations: {loss_examples: 99}}\n",
        datasets={"c10": {"train": 1296}},
        substitutes={"digits": {"source": "fashion-mnist", "changes": {"val": 150}}},
    )
    rows = rows_of(show(project, STEP))
    data = next(rows[name] for name in rows if name.startswith("data set"))
    assert data["train"] == ("1296", "config.yaml or the command line: datasets.c10")
    assert data["source"] == ("fashion-mnist", "config.yaml or the command line: substitutes.digits")
    assert data["val"] == ("150", "config.yaml or the command line: substitutes.digits")
    assert data["test"][1].startswith("config/scales/quick.yaml:")


def test_a_measure_taken_again_starts_from_its_own_keys(scales: Scales) -> None:
    """Keys before a null no longer apply."""
    scales.keep_studies("fig01")
    path = scales.folder / "studies.yaml"
    path.write_text(re.sub("run: .*", f"run: {STEP}", path.read_text()).replace("schedule: growth", "schedule: late"))
    path.write_text(path.read_text().replace("num_eigenvalues: 30", "num_eigenvalues: 3\n  early: false"))
    scales.load("for_runs:\n  - {runs: 'scnn-*', set: {schedules: {late: {measures: {directions: null}}}}}\n")
    text = "schedules: {late: {measures: {directions: {indices: [1], num_gradients: 3}}}}\n"
    scales.write(f"extends: mine\ndescription: again\n{text}", "again")
    rows = rows_of(show(load_project({"scale": "again"}, scales.folder), STEP))["schedule late"]
    assert rows["directions.num_gradients"] == ("3", "config/scales/again.yaml:3")
    assert rows["directions.alphas"] == ("[]", "default")
    assert rows["spectra.num_eigenpairs"][1].startswith("config/scales/paper.yaml:")


def test_an_unknown_run_is_refused(scales: Scales) -> None:
    with pytest.raises(ConfigError, match=f"did you mean {LSTM}"):
        show(scales.load(), LSTM[:-1])
