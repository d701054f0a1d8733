"""Mistakes in the configuration: each is refused in one line, with its place and the remedy."""

import re
from typing import Any

import pytest
import yaml

from .conftest import REMOVED, ROOT, Scales

STEP = "scnn-c10-sgd-lr0.01-S128-s777"
CURVE = {"run": STEP, "schedule": "step", "label": "η = 0.01"}
PANEL = {"title": "P", "measure": "spectra", "column": "eigenvalues", "index": [0], "curves": [CURVE]}
SHARPNESS = {"kind": "measured", "caption": "Sharpness.", "panels": [PANEL]}
TABLE = {"kind": "end_points", "caption": "", "rows": [{"label": "A", "runs": [STEP], "paper": {}}]}

IN_A_SCALE = r"""
patiense: 3
-> line 3: unknown key 'patiense'; did you mean patience?
hessian: {example: 3}
-> line 3: unknown key 'hessian.example'; did you mean examples?
models: {r32: {width: 3}}
-> line 3: unknown key 'models.r32.width'; did you mean widths?
hessian: {patience: 3}
-> line 3: unknown key 'hessian.patience'; remove it
hessian: {examples: many}
-> line 3: hessian.examples should be a valid integer, unable to parse string as an integer, found 'many'
models: {scnn: {width: [8]}}
-> line 3: models.scnn.width should be a valid integer, found [8]
schedules: {late: {points: 5}}
-> line 3: schedules.late.points should be a valid string, found 5
hessian: {examples: -1}
-> line 3: hessian.examples should be greater than 0, found -1
lr_factor: .inf
-> line 3: lr_factor should be a finite number, found inf
lr_factor: {scnn-*: 3}
-> line 3: lr_factor should be a valid number, found {'scnn-*': 3}
models: {scnn: {padding: full}}
-> line 3: models.scnn.padding should be 'valid' or 'same', found 'full'
snapshot_every: null
-> line 3: snapshot_every should be a valid integer, found None
schedules: [late]
-> line 3: schedules should be a valid dictionary, found ['late']
for_runs: [{runs: 'r32-c10-sgd-lr0.1-S128-s777', set: {epochs: 9}}]
-> run r32-c10-sgd-lr0.1-S128-L80-s777: branches off at epoch 10, but its parent ends at 9; lengthen the parent or
for_runs: [{runs: 'r32-c10-sgd-lr0.1-S128-s777', set: {snapshot_every: 3}}]
-> run r32-c10-sgd-lr0.1-S128-L10-s777: branches off at epoch 1, but its parent keeps a snapshot every 3 epochs;
for_runs: [{runs: '*-L80-*', set: {epochs: 10}}]
-> run r32-c10-sgd-lr0.1-S128-L80-s777: branches off at epoch 10 and ends at 10; raise its epochs
for_runs: [{runs: 'lstm-*', set: {hessian: {examples: 99999}}}]
-> run lstm-ptb-sgd-lr5-S20-s777: hessian.examples 99999 exceeds 2499 training examples; lower hessian.examples
for_runs: [{runs: 'lstm-*-S128-*', set: {batch_factor: 20}}]
-> run lstm-ptb-sgd-lr1-S128-s777: 50000 words in 2560 streams leave no window of 20; lower batch_factor
datasets: {ptb: {train: 1000000000}}
-> datasets.ptb: train 1000000000 exceeds the 50000 words of python-topics; lower it
datasets: {ptb: {source: digits}}
-> datasets.ptb.source: 'digits' has images, not tokens; use one of ptb, python-topics, bible-kjv
full_batch_examples: 129
-> run r32-c10-sgd-lr0.01-S2560-n2560-fb-s777: full_batch_examples 129 exceeds hessian.examples 128 or the 1297
seeds: {fig99: 2}
-> 'fig99' is not in config/studies.yaml or config/beyond.yaml; they have fig01, fig02, fig03, fig04, fig05,
seeds: -1
-> line 3: seeds should be greater than or equal to 0, found -1
seeds: 1001
-> line 3: seeds should be less than or equal to 1000, found 1001
paper_seeds: {fig05: 1}
-> fig05 in config/studies.yaml: a study of kind alignment has one seed; remove it from the scale's paper_seeds
schedules: {alignment: {measures: {spectra: {num_eigenpairs: 4}}}}
-> line 3: schedules.alignment.measures.directions: indices: direction 5 exceeds num_eigenpairs 4 of spectra;
schedules: {step: {measures: {directions: {grid: [-1, 1]}}}}
-> line 3: schedules.step.measures.directions: grid should increase and contain 0
schedules: {growth: {points: 'at iterations 0, 99999'}}
-> fig01 in config/studies.yaml: schedules.growth.points, run scnn-c10-sgd-lr0.005-S128-s777: schedule 'at
schedules: {growth: {points: often}}
-> line 3: schedules.growth.points: schedule 'often' is not understood at 'often'; write 'every [N]
datasets: {c10: {source: mnist}}
-> datasets.c10.source: 'mnist' is not a data source; known: digits, fashion-mnist, cifar-10, cifar-100, ptb,
datasets: {c10: {train: 1298}}
-> datasets.c10: train 1298 + val 200 exceed the 1497 examples of digits; lower them
datasets: {c10: {test: 301}}
-> datasets.c10: test 301 exceeds the 300 test examples of digits; lower it
hessian: {examples: 1298}
-> run scnn-c10-sgd-lr0.1-S128-s777: hessian.examples 1298 exceeds 1297 training examples; lower hessian.examples
measures: {evaluations: {examples: 1298}}
-> fig08 in config/studies.yaml: run r32-c10-nsgd-lr0.01-S128-g0.01-K1-plat-s777: measures.evaluations.examples
datasets: {../x: {kind: images, source: digits}}
-> line 3: datasets.../x should match pattern '^[A-Za-z0-9][A-Za-z0-9_.+-]*$', found '../x'
models: {r32: {image_size: 14}}
-> run r32-c10-sgd-lr0.1-S128-s777: a ResNet of 3 stages halves images of side 14 unevenly; set its image_size to
models: {scnn: {image_size: null}}
-> run scnn-c10-sgd-lr0.1-S128-s777: images of side 8 vanish in the model; set its image_size to at least 10
for_runs:
  - {runs: "lstm-*", set: {epochs: 1}}
  - {runs: "alexnet-*", set: {epochs: 3}}
-> line 5: for_runs: pattern 'alexnet-*' fits no run of config/runs.tsv, nor of the scale's runs; correct or
for_runs:
  - {runs: "*", set: {epoch: 3}}
-> line 4: unknown key 'for_runs.0.set.epoch'; did you mean epochs?
for_runs:
  - {runs: "*", set: {torch_threads: 3}}
-> line 4: unknown key 'for_runs.0.set.torch_threads'; remove it
for_runs:
  - {runs: "*", epochs: 3}
-> line 4: unknown key 'for_runs.0.epochs'; remove it
description: mine, too
for_runs:
  - {set: {epochs: 3}}
-> line 3: key 'description' is already in line 2; merge the two
for_runs:
  - {runs: "*", set: {epochs: 3}}

for_runs:
  - {runs: "*", set: {epochs: 4}}
-> line 6: key 'for_runs' is already in line 3; merge the two
for_runs: {"lstm-*": {epochs: 3}}
-> line 3: for_runs should be a list, found {'lstm-*': {'epochs': 3}}
for_runs:
  - {runs: "*-fb-*", set: {}}
  - runs: "*"
    set:
      hessian:
        examples: many
-> line 8: for_runs.1.set.hessian.examples should be a valid integer, unable to parse string as an integer, found
for_runs:
  - {runs: "lstm-*", set: {lr_factor: 0}}
-> line 4: for_runs.0.set.lr_factor should be greater than 0, found 0
for_runs:
  - {runs: "lstm-*", set: {hessian: {exampels: 3}}}
-> line 4: unknown key 'for_runs.0.set.hessian.exampels'; did you mean examples?
measures: {spektra: {accuracy_examples: 3}}
-> line 3: unknown measure 'spektra'; did you mean spectra?
for_runs:
  - {runs: "lstm-*", set: {schedules: {grid: {measures: {spectrum: {}}}}}}
-> line 4: unknown measure 'spectrum'; did you mean spectra?
schedules:
  grid:
    measures: {spectra: {num_eigenpair: 3}}
-> line 5: unknown key 'schedules.grid.measures.spectra.num_eigenpair'; did you mean num_eigenpairs?
for_runs:
  - runs: "lstm-*"
    set: {measures: {directions: {loss_exampels: 3}}}
-> line 5: unknown key 'for_runs.0.set.measures.directions.loss_exampels'; did you mean loss_examples?
measures: {evaluations: {num_probes: 3}}
-> line 3: measures.evaluations.num_probes should be greater than or equal to 4, found 3
for_runs:
  - {runs: "lstm-*", set: {schedules: {grid: {measures: {spectra: {num_eigenpairs: x}}}}}}
-> line 4: for_runs.0.set.schedules.grid.measures.spectra.num_eigenpairs should be a valid integer, unable to
schedules:
  ends:
    measures:
      spectra:
-> line 6: schedules.ends.measures.spectra is empty; write {} to take it with its own settings
schedules: {grid: {measures: {evaluations: {}, directions: {indices: [1]}}}}
-> fig04 in config/studies.yaml: run r32-c10-sgd-lr0.001-S128-s777: schedules.grid.measures.directions:
schedules:
  fine:
    points: 3 points
    measures: {directions: {indices: [1], num_gradients: 2}}
-> line 4: schedules.fine.measures.directions needs spectra at the same points; add spectra to the schedule
for_runs:
  - {runs: "scnn-*", set: {schedules: {step: {measures: {spectra: null}}}}}
-> fig06 in config/studies.yaml: run scnn-c10-sgd-lr0.01-S128-s777: schedules.step.measures.directions needs
schedules: {step: {shard_points: 3, measures: {spectra: {accuracy_every: 2}}}}
-> line 3: schedules.step.measures.spectra: accuracy_every 2 does not divide shard_points 3, but its count
for_runs:
  - {runs: "scnn-*", set: {schedules: {step: {measures: {spectra: {num_eigenpairs: 4}}}}}}
-> fig06 in config/studies.yaml: run scnn-c10-sgd-lr0.01-S128-s777: schedules.step.measures.directions: indices:
for_runs:
  - {runs: "lstm-*", set: {measures: {spectra: {accuracy_examples: 99999}}}}
-> fig04 in config/studies.yaml: run lstm-ptb-sgd-lr0.2-S20-s777: measures.spectra.accuracy_examples 99999 exceeds
schedules: {step: {measures: {directions: {loss_examples: 1298}}}}
-> fig06 in config/studies.yaml: run scnn-c10-sgd-lr0.01-S128-s777:
variants: {loss_examples: 1298}
-> run scnn-c10-sgd-lr0.01-S128-s777@e4/sgd: variants.loss_examples 1298 exceeds 1297 training examples; lower
for_runs:
  - {runs: "lstm-*", set: {schedules: {gird: {points: 3 points}}}}
-> line 4: unknown schedule 'gird'; did you mean grid?
for_runs:
  - {runs: "lstm-*", set: {schedules: {mine: {points: 3 points}}}}
-> line 4: unknown schedule 'mine'; add it to the scale's own schedules
schedules:
  fine:
    points: often
    measures: {spectra: {num_eigenpairs: 2}}
-> line 5: schedules.fine.points: schedule 'often' is not understood at 'often'; write 'every [N]
for_runs:
  - {runs: "*-fb-*", set: {schedules: {grid: {points: best and last, then every epoch}}}}
-> line 4: unknown key 'for_runs.0.set.schedules.grid.then every epoch'; put the text before it in quotes, for its
schedules:
  grid:
    points: best and last, then every epoch
-> line 5: schedules.grid.points: schedule 'best and last, then every epoch' is not understood at 'best and last';
schedules: {grid: {num_eigenpairs: 3}}
-> line 3: unknown key 'schedules.grid.num_eigenpairs'; remove it
for_runs:
  - {runs: "*-plat-*", set: {stop_patience: null}}
-> run 'r32-c10-nsgd-lr0.01-S128-g0.01-K5-plat-s777': the plateau rule needs patience and stop_patience; give it
"""
"""Keys of a scale from its third line on, and then the beginning of the message."""


@pytest.mark.parametrize("mistake", re.findall(r".*?\n-> [^\n]*\n", IN_A_SCALE.lstrip("\n"), re.DOTALL))
def test_a_mistake_in_a_scale_is_one_line(mistake: str, unchanged: Scales) -> None:
    text, _, message = mistake.partition("-> ")
    place = f"{unchanged.folder}/scales/mine.yaml, " if message.startswith("line ") else ""
    assert unchanged.refusal(text).removeprefix("scale mine: ").startswith(place + message.rstrip("\n"))


IN_A_FILE: list[tuple[str, str, object, str]] = [
    ("studies.yaml", "fig01.rows.0.labels", "x", "unknown key 'fig01.rows.0.labels'; did you mean label?"),
    ("studies.yaml", "fig01.acuracy", True, "unknown key 'fig01.acuracy'; did you mean accuracy?"),
    ("studies.yaml", "fig06.alphas", [1, 0], "studies.yaml, line 168: fig06.alphas.1 should be greater than 0, found"),
    ("studies.yaml", "fig01.kind", "pie", "studies.yaml, line 1: fig01.kind should be 'spectrum_evolution', 'largest_"),
    ("studies.yaml", "fig01.kind", REMOVED, "studies.yaml, line 1: fig01.kind is missing; add it"),
    ("studies.yaml", "fig01.seeds", "many", "fig01.seeds should be a valid integer, found 'many'"),
    ("studies.yaml", "fig01.rows.0.run", STEP[:-1] + "8", f"{STEP[:-1]}8' is not in config/runs.tsv; did you mean"),
    ("studies.yaml", "tab1.rows", [TABLE["rows"][0] | {"runs": ["none"]}], "tab1 in config/studies.yaml: run 'none'"),
    ("studies.yaml", "fig01.rows.0.schedule", "grow", "is not in the scale's schedules: growth, evolution, full_batch"),
    ("studies.yaml", "fig01.num_eigenvalues", 31, "fig01 in config/studies.yaml: num_eigenvalues 31 exceeds"),
    ("studies.yaml", "fig15.direction", 2, "fig15 in config/studies.yaml: direction 2 is not in"),
    ("studies.yaml", "fig06.alphas", [0.7], "alphas [0.7] are not in schedules.step.measures.directions.alphas; add"),
    ("studies.yaml", "fig06.rows.0.schedule", "growth", "schedules.growth does not take directions; add directions"),
    ("studies.yaml", "fig/x", SHARPNESS, "fig/x in config/studies.yaml: a name has lower-case letters,"),
    ("studies.yaml", "tab99", SHARPNESS, "tab99 in config/studies.yaml: the name of a figure begins with fig; rename"),
    ("studies.yaml", "sharpness", SHARPNESS, "sharpness in config/studies.yaml: the name of a figure begins with"),
    ("studies.yaml", "fig99", TABLE, "fig99 in config/studies.yaml: the name of a table begins with tab"),
    ("studies.yaml", "fig01.rows.0.label", "a\0b", "rows.0.label 'a\\x00b' has a control character; remove it"),
    ("studies.yaml", "fig01.rows.0.label", "$\\lambda", "opens a formula and does not close it; write \\$ for a"),
    ("studies.yaml", "fig14.panels.0.label", "{lr}", "panels.0.label has the placeholder {lr}, which is not one of"),
    ("beyond.yaml", "fig_sharpness", SHARPNESS, "fig_sharpness in config/beyond.yaml: names that begin with fig or"),
    ("beyond.yaml", "tab_sharpness", SHARPNESS, "begin with fig or tab are the paper's; say what the figure shows"),
    ("beyond.yaml", "Sharpness", SHARPNESS, "Sharpness in config/beyond.yaml: a name has lower-case letters, digits"),
    ("beyond.yaml", "9_lives", SHARPNESS, "begins with a letter; rename it"),
    ("beyond.yaml", "ends", TABLE, "a study of kind end_points makes a table; name a kind that draws"),
    ("scales/paper.yaml", "hessian.example", 3, "paper.yaml, line 251: unknown key 'hessian.example'; did you mean"),
    ("scales/paper.yaml", "models.scnn.width", REMOVED, "paper.yaml, line 60: models.scnn.width is missing; add it"),
    ("scales/paper.yaml", "hessian", REMOVED, "paper.yaml: hessian is missing; add it"),
    ("scales/paper.yaml", "models.r32.kind", "mlp", "models.r32.kind should be 'simple_cnn', 'resnet', 'vgg', 'fcn',"),
    ("scales/paper.yaml", "datasets.ptb.kind", "sounds", "datasets.ptb.kind should be 'images', 'tokens', 'reviews'"),
    ("scales/paper.yaml", "extends", "quick", "paper.yaml: extends: mine extends quick extends paper extends quick,"),
    ("scales/paper.yaml", "hessian.max_products", 29, "num_eigenpairs 30 exceeds hessian.max_products 29; raise"),
    ("scales/paper.yaml", "hessian.tolerance", 1e-30, "hessian.tolerance should be greater than or equal to 0.0000001"),
    ("scales/paper.yaml", "torch_threads", 100_000, "torch_threads should be less than or equal to 1024, found 100000"),
    ("scales/quick.yaml", "extends", "papper", "quick.yaml: extends: scale 'papper' has no file"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "key", "value", "message"), IN_A_FILE, ids=str)
def test_a_mistake_in_a_file_is_one_line(name: str, key: str, value: object, message: str, scales: Scales) -> None:
    scales.set(name, key, value)
    assert message in scales.refusal()


RUN = "scnn-c10-sgd-lr0.07-S64-s777"
PLACE = f"runs.tsv, line {len((ROOT / 'config/runs.tsv').read_text().splitlines()) + 1}"
IN_A_ROW = [
    (f"{STEP}\tA\t9", f"{PLACE}: run '{STEP}' is listed twice; remove one line"),
    ("scnn-c10-adagrad-lr0.1-S128-s777\tA\t9", f"{PLACE}: run 'scnn-c10-adagrad-lr0.1-S128-s777' is not a run id;"),
    (RUN, f"{PLACE}: expected 3 columns, as in the first line; add or remove tabs"),
    (f"{RUN}\tA\t9\tx", f"{PLACE}: expected 3 columns, as in the first line; add or remove tabs"),
    *((f"{RUN}\tA\t{text}", f"{PLACE}: epochs must be a whole number from 1 to 9999999") for text in
      ("", "0", "\u0663", str(10**20))),
    ("scnn-c10-nsgd-lr0.01-S128-g0.01-K99999-s777\tA\t9", "99999 eigenpairs need more than hessian.max_products 400;"),
    ("alexnet-c10-sgd-lr0.1-S128-s777\tA\t9", "model 'alexnet' is not in the scale's models: scnn, scnnM"),
    ("scnn-mnist-sgd-lr0.1-S128-s777\tA\t9", "dataset 'mnist' is not in the scale's datasets: c10, c100"),
    ("lstm-c10-sgd-lr0.1-S128-s777\tA\t9", "a model of kind lstm reads tokens, but the data set has images; name"),
    ("scnn-ptb-sgd-lr0.1-S128-s777\tA\t9", "a model of kind simple_cnn reads images, but the data set has tokens;"),
    (f"{STEP}@e4/x1\tI\t9", "unknown variant 'x1'; write it as 'sgd'"),
    (f"{STEP}@e4/x0\tI\t9", "unknown variant 'x0'; write it as 'notop'"),
    (f"{STEP}@e4/bottom\tI\t9", "unknown variant 'bottom'; known: sgd, top, ctop, notop, x<number>, each but sgd"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), IN_A_ROW, ids=str)
def test_a_mistake_in_a_row_of_the_runs_is_one_line(row: str, message: str, scales: Scales) -> None:
    scales.append("runs.tsv", row)
    assert message in scales.refusal()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("scales/quick.yaml", b"{[", "quick.yaml is not YAML: while parsing"),
        ("scales/quick.yaml", b"", "quick.yaml: holds no keys; restore it"),
        ("studies.yaml", b"\tx: {", "studies.yaml is not YAML: while scanning"),
        ("studies.yaml", b"\xff\xfe\x00", "studies.yaml is not UTF-8 text; save it as such or restore it"),
        ("studies.yaml", b"", "studies.yaml: its content should be a valid dictionary, found None"),
        ("studies.yaml", None, "studies.yaml does not exist; restore it"),
        ("runs.tsv", None, "runs.tsv does not exist; restore it"),
        ("runs.tsv", b"run,group,epochs\n", "runs.tsv: expected columns run, group, epochs, separated by tabs; found"),
    ],
)
def test_an_unreadable_file_is_one_line(name: str, content: bytes | None, message: str, scales: Scales) -> None:
    path = scales.folder / name
    path.unlink() if content is None else path.write_bytes(content)
    assert message in scales.refusal()


def _with(*words: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    source, substitute = words
    return {"substitutes": {source: {"source": substitute, "changes": changes or {}}}}


IN_THE_CONFIG: list[tuple[dict[str, Any], str]] = [
    (_with("cifar", "digits"), "substitutes.cifar: 'cifar' is not a data source; known: digits, fashion-mnist,"),
    (_with("ptb", "bible"), "substitutes.ptb: 'bible' is not a data source; known: digits"),
    (_with("ptb", "rated-sentences"), "substitutes.ptb: 'rated-sentences' has reviews, but 'ptb' has tokens; name a"),
    (_with("digits", "fashion-mnist", changes={"lenght": 50}), "config: unknown key 'datasets.c10.lenght'; remove it"),
    (_with("ptb", "bible-kjv") | {"sources": {"bible-kjv": {"folder": "/nowhere"}}},
     "sources.bible-kjv.folder '/nowhere' is not a folder; correct the path, or fetch its files with the command in"),
    ({"scal": "small"}, "config: unknown key 'scal'; did you mean scale?"),
    ({"scale": "huge"}, "config: scale 'huge' has no file"),
    ({"scale": "../scales/quick"}, "config: scale should match pattern"),
    ({"scale": 3}, "config: scale should be a valid string, found 3"),
    ({"seeds": -1}, "config: seeds should be greater than or equal to 0, found -1"),
    ({"seeds": True}, "config: seeds should be a valid integer, found True"),
    ({"seeds": "5"}, "config: seeds should be a valid integer, found '5'"),
    ({"seeds": 10**9}, "config: seeds should be less than or equal to 1000, found 1000000000"),
    *(({"jobs_per_gpu": value}, "config: jobs_per_gpu should be ") for value in (0, -1, 1.5, "two", None, [1])),
    ({"datasets": {"mnist": {"source": "digits"}}}, "config: datasets.mnist is not in the scale; known: c10, c100"),
    ({"datasets": {"c10": {"sorce": "digits"}}}, "config: unknown key 'datasets.c10.sorce'; did you mean source?"),
    ({"datasets": {"c10": {"train": "all"}}}, "config: datasets.c10.train should be a valid integer"),
    ({"datasets": {"c10": {"source": "mnist"}}}, "datasets.c10.source: 'mnist' is not a data source; known: digits"),
    ({"sources": {"mnist": {}}}, "config: sources.mnist is not a data source; known: digits"),
    ({"sources": {"cifar-10": {"path": "x"}}}, "config: unknown key 'sources.cifar-10.path'; remove it"),
    ({"sources": {"cifar-10": {"folder": "/no/such"}}}, "sources.cifar-10.folder '/no/such' is not a folder; correct"),
    ({"sources": {"cifar-10": {"folder": "~a\0b/x"}}}, "sources.cifar-10.folder '~a\\x00b/x' "),
    ({"sources": {"cifar-10": {"folder": "~nobody9/x"}}}, "sources.cifar-10.folder '~nobody9/x' is not a folder;"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), IN_THE_CONFIG, ids=str)
def test_a_mistake_in_the_config_is_one_line(changes: dict[str, Any], message: str, unchanged: Scales) -> None:
    assert message in unchanged.refusal(**changes)


def test_a_branch_needs_its_parent(scales: Scales) -> None:
    trunk, path = "r32-c10-sgd-lr0.1-S128-s777", scales.folder / "runs.tsv"
    path.write_text(path.read_text() + "r32-c10-sgd-lr0.1-S128-L80-s777@e4/top\tI\t12\n")
    message = scales.refusal("for_runs: [{runs: '*-L80-s777@*', set: {epochs: 12}}]\n")
    assert "L80-s777@e4/top: branches off at epoch 4, but its parent, a branch itself, begins at 10; raise" in message
    path.write_text("".join(row for row in path.read_text().splitlines(True) if row.split("\t")[0] != trunk))
    assert f"its parent '{trunk}' is not in config/runs.tsv; add it" in scales.refusal()


def test_points_for_other_runs_alone_are_not_enough(scales: Scales) -> None:
    scales.set("scales/paper.yaml", "schedules.growth.points", None)
    scales.set("scales/quick.yaml", "schedules.growth.points", REMOVED)
    message = scales.refusal("for_runs: [{runs: 'r32-*', set: {schedules: {growth: {points: 9 points}}}}]\n")
    assert "schedules.growth has no points for run 'scnn-c10-sgd-lr0.005-S128-s777'; add points, or an entry" in message


def test_a_mistake_in_an_extended_scale_has_the_line_there(scales: Scales) -> None:
    path = scales.folder / "scales/paper.yaml"
    lines = path.read_text().splitlines()
    number = next(number for number, line in enumerate(lines, start=1) if "clip_norm: 5" in line)
    path.write_text(path.read_text().replace("clip_norm: 5", "clip_norm: five"))
    assert f"paper.yaml, line {number}: for_runs." in scales.refusal()


def test_a_study_of_the_scale_is_named_with_its_line(unchanged: Scales) -> None:
    message = unchanged.refusal(yaml.safe_dump({"studies": {"sharpness": SHARPNESS}}))
    assert re.search(r"sharpness in .*scales/mine.yaml, line \d+: the name of a figure begins with fig", message)
