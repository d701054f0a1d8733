"""The parts of the real configuration that the report uses."""

import json
from pathlib import Path

import pytest
import yaml

from sharpest.claims.ledger import read_ledger
from sharpest.claims.plans import plan_claims
from sharpest.config.project import load_project
from sharpest.pipeline.needs import files_of_report, times_of
from sharpest.report.paper import SECTIONS, item_of
from sharpest.report.setup import Setup, setup_of
from sharpest.results.paths import Paths

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module")
def setup() -> Setup:
    project = load_project(yaml.safe_load((CONFIG / "config.yaml").read_text()), CONFIG)
    claims = read_ledger(CONFIG / "claims.csv")
    return setup_of(project, claims, plan_claims(claims, project))


def test_they_survive_a_round_trip(setup: Setup) -> None:
    assert Setup.joined(json.loads(json.dumps(setup.parts() | {"code": "1234"}))) == setup


def test_a_caption_changes_one_part(setup: Setup) -> None:
    changed = setup.model_copy(
        update={"studies": setup.studies | {"fig05": setup.studies["fig05"].model_copy(update={"caption": "Else."})}}
    )
    before, after = setup.parts(), changed.parts()
    assert [name for name in before if before[name] != after[name]] == ["fig05"]


def test_a_trunk_comes_with_its_branches(setup: Setup) -> None:
    runs = list(setup.runs)
    trunk = "scnn-c10-sgd-lr0.01-S128-s777"
    assert runs.index(trunk) < runs.index(f"{trunk}@e4/top")


def test_a_figure_answers_claims_of_the_text_at_its_own_points_only(setup: Setup) -> None:
    alphas = {f"sec3.2.alpha{alpha}.{net}" for alpha in ("0.25", "0.5", "1", "2", "4") for net in ("scnn", "r32")}
    assert {*setup.beside["fig06"]} == {*setup.beside["fig15"]} == alphas
    # the same runs at other points, runs with another learning rate, a table's own claims, and spectra only
    assert setup.beside["fig18"] == setup.beside["fig17"] == setup.beside["fig14"] == ()
    assert not any(name.startswith("tab1.") for name in setup.beside["tab1"])
    assert not any(name.startswith("fig") for names in setup.beside.values() for name in names)


def test_every_study_has_a_place_in_the_paper(setup: Setup) -> None:
    known = {name for section in SECTIONS for name in section.items}
    assert {item_of(name) for name in setup.studies if name not in setup.beyond} <= known


def test_inputs_and_records_are_named_once(setup: Setup) -> None:
    paths = Paths(Path("results/quick"))
    inputs = files_of_report(setup, paths)
    assert len(inputs) == len(set(inputs))
    records = [path for kind in times_of(setup, paths).values() for path in kind]
    assert len(records) == len(set(records))
    assert not set(records) & set(inputs)
