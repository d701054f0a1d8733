"""Labels, titles and captions state the settings that are used, with the paper's in brackets where they differ."""

import re
from pathlib import Path
from typing import Any

import yaml

from sharpest.config.project import Project
from sharpest.config.run_id import RunId
from sharpest.config.study_files import texts_in

CONFIG = Path(__file__).parents[3] / "config"
_LABEL = re.compile(r"(η|S|L) = ([\d.,]+)(?: \(paper: ([\d.,]+)\))?")


def _labelled(part: Any) -> Any:
    """Each label with its run."""
    if isinstance(part, dict):
        if "label" in part and ("run" in part or "runs" in part):
            yield part["label"], part["run"] if "run" in part else part["runs"][0]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _labelled(each)


def test_labels_state_the_settings_of_their_run(project: Project) -> None:
    checked = set()
    for name in project.studies:
        for label, run in _labelled(project.study(name).model_dump(mode="json")):
            for quantity, used, published in _LABEL.findall(label):
                settings, run_id = project.run(run), RunId.parse(run)
                ours, paper = {
                    "η": (settings.lr, run_id.lr),
                    "S": (settings.batch_size, run_id.batch_size),
                    "L": (settings.branch.epoch if settings.branch else 0, run_id.first_stage),
                }[quantity]
                assert float(used.replace(",", "")) == ours, (name, label, run)
                assert float((published or used).replace(",", "")) == paper, (name, label, run)
                checked.add(quantity)
    assert checked == {"η", "S", "L"}


def test_no_placeholder_is_left(project: Project) -> None:
    for name in project.studies:
        for key, text in texts_in(project.study(name).model_dump()):
            assert not re.search(r"\{(eta|S|L)\}", text), (name, key)


def _with_label(scales: Any, label: str) -> None:
    path = scales.folder / "studies.yaml"
    studies = yaml.safe_load(path.read_text(encoding="utf-8"))
    studies["fig14"]["panels"][0]["label"] = label
    path.write_text(yaml.safe_dump(studies), encoding="utf-8")


def test_a_formula_with_braces_is_no_placeholder(scales: Any) -> None:
    _with_label(scales, "$e_{S}$, S = {S}")
    assert scales.load().study("fig14").panels[0].label == "$e_{S}$, S = 32 (paper: 128)"


def test_runs_that_a_scale_adds_state_only_what_is_used(scales: Any) -> None:
    run = "scnn-c10-sgd-lr0.02-S64-s777"
    study = f"{{kind: learning_curves, caption: '', panels: [{{run: {run}, schedule: step, label: 'S = {{S}}'}}]}}"
    project = scales.load(f"runs: {{{run}: 20}}\nstudies: {{figown: {study}}}\n")
    assert project.study("figown").panels[0].label == "S = 16"
