"""Wildcards of the rules: short patterns that match the runs of a project."""

import re
from pathlib import Path

import pytest

from sharpest.config.project import load_project
from sharpest.pipeline.rules import RUN, but, curves_pattern, one_of

CONFIG = Path(__file__).parents[3] / "config"
SEEDS = range(1000, 1100)


@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_the_patterns_match_exactly_the_runs_and_the_sharded_curves(scale: str) -> None:
    project = load_project({"scale": scale}, CONFIG)
    sharded, whole = project.curves_by_shards()
    assert sharded or scale != "paper"
    pattern = re.compile(curves_pattern(sharded, whole))
    assert all(map(re.compile(RUN).fullmatch, project.run_ids))
    assert all(map(pattern.fullmatch, sharded))
    assert not any(map(pattern.fullmatch, whole))


def test_a_path_has_one_reading() -> None:
    """The id of a branch contains a slash, as does a path with its schedule."""
    path = re.compile(rf"(?P<run>{RUN})/(?P<schedule>grid|step)")
    trunk = "scnn-c10-sgd-lr0.01-S128-s777"
    for run in (trunk, f"{trunk}@e4/x0.5", "r32-c10-sgd-lr0.1-S128-L10-s778"):
        match = path.fullmatch(f"{run}/grid")
        assert match
        assert match["run"] == run
    assert not path.fullmatch(f"{trunk}/other/grid")


def test_runs_that_differ_in_their_seed_share_one_pattern() -> None:
    curves = [f"{net}-c10-sgd-lr0.1-S128-s{seed}/grid" for net in ("scnn", "vgg") for seed in SEEDS]
    pattern = curves_pattern(curves, ["r32-c10-sgd-lr0.1-S128-s1000/grid"])
    assert pattern.count("|") == 1
    assert all(re.fullmatch(pattern, curve) for curve in curves)


def test_seeds_with_different_shards_are_distinguished() -> None:
    run = "scnn-c10-sgd-lr0.1-S128-s{}/grid"
    pattern = curves_pattern([run.format(1)], [run.format(10)])
    assert re.fullmatch(pattern, run.format(1))
    assert not re.fullmatch(pattern, run.format(10))
    assert not re.fullmatch(curves_pattern([], [run.format(1)]), run.format(1))


def test_one_of_matches_only_these_names() -> None:
    pattern = one_of({"fig06": 1, "a.b": 2})
    assert all(re.fullmatch(pattern, name) for name in ("fig06", "a.b"))
    assert not any(re.fullmatch(pattern, name) for name in ("fig060", "fig0", "acb", ""))
    assert not re.fullmatch(one_of([]), "")


def test_but_leaves_out_some_names() -> None:
    """Of files in a folder of that name, or with an ending; longer names are others."""
    path = re.compile(rf"(?P<figure>{but(['fig06'], one_of(['fig06', 'fig06_late', 'fig07']))})(/|[.])\w+")
    assert not path.fullmatch("fig06.csv")
    assert not path.fullmatch("fig06/csv")
    assert all(map(path.fullmatch, ("fig06_late.csv", "fig07.csv", "fig07/csv")))
    assert but([], RUN) == RUN
