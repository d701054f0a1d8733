"""What the report is told of the real configuration."""

import json
from pathlib import Path

import pytest
import yaml
from sharpest.report.facts import Facts, facts_of
from sharpest.report.files import Results

from sharpest.config.project import load_project
from sharpest.report.paper import SECTIONS, item_of

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module")
def facts() -> Facts:
    return facts_of(load_project(yaml.safe_load((CONFIG / "config.yaml").read_text()), CONFIG))


def test_they_survive_a_round_trip(facts: Facts) -> None:
    assert Facts.joined(json.loads(json.dumps(facts.parts() | {"code": "1234"}))) == facts


def test_a_caption_changes_one_part(facts: Facts) -> None:
    changed = facts.model_copy(
        update={"studies": facts.studies | {"fig05": facts.studies["fig05"].model_copy(update={"caption": "Else."})}}
    )
    before, after = facts.parts(), changed.parts()
    assert [name for name in before if before[name] != after[name]] == ["fig05"]


def test_a_trunk_comes_with_its_branches(facts: Facts) -> None:
    runs = list(facts.runs)
    trunk = "scnn-c10-sgd-lr0.01-S128-s777"
    assert runs.index(trunk) < runs.index(f"{trunk}@e4/top")


def test_every_study_has_a_place_in_the_paper(facts: Facts) -> None:
    known = {name for section in SECTIONS for name in section.items}
    assert {item_of(name) for name in facts.studies} <= known


def test_inputs_and_records_are_named_once(facts: Facts) -> None:
    results = Results(Path("results/quick"))
    inputs = results.inputs(facts)
    assert len(inputs) == len(set(inputs))
    records = [path for paths in results.benchmarks(facts).values() for path in paths]
    assert len(records) == len(set(records))
    assert not set(records) & set(inputs)
