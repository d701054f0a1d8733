"""Differences of recorded parameters, in words."""

import pytest

from sharpest.commands.main import main
from sharpest.errors import SharpestError
from sharpest.pipeline.why import changes, print_stale, summary

CODE = "scripts/train_run.py 0123456789ab\nsharpest.trajectory.steps aaaaaaaaaaaa\nsharpest.models bbbbbbbbbbbb"


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ([0.1], {"lr": 0.05}, "lr 0.1 -> 0.05"),
        ([{"lr": 0.1, "momentum": 0.0}], {"settings": {"momentum": 0.0, "lr": 0.05}}, "settings.lr 0.1 -> 0.05"),
        ([{"nudge": None}], {"settings": {"nudge": {"gamma": 0.1}}}, "settings.nudge.gamma 0.1 is new"),
        ([{"window": 3}], {"study": {"window": None}}, "study.window 3 is gone"),
        ([{"rows": [{"label": "a"}]}], {"study": {"rows": [{"label": "b"}]}}, "study.rows[0].label a -> b"),
        ([{"rows": [[{"a": 1}, {"a": 2}]]}], {"s": {"rows": [[{"a": 1}]]}}, "s.rows[0][1].a 2 is gone"),
        ([[0, 4, 8]], {"points": [0, 5, 10]}, "points [0, 4, 8] -> [0, 5, 10]"),
        ([""], {"foot": "Scale quick"}, "foot '' -> Scale quick"),
        ([list(range(99))], {"points": []}, f"points {str(list(range(99)))[:60]}... -> []"),
        ([CODE], {"code": CODE.replace("bbb", "ccc")}, "sharpest.models changed"),
        (
            [CODE], {"code": CODE.replace("trajectory.steps", "risk")},
            "sharpest.trajectory.steps is gone, sharpest.risk is new",
        ),
        ([], {"chunk_size": 64}, "chunk_size 64 is new"),
        ([64], {}, "64 is gone"),
        ([float("inf")], {"limit": 1.0}, "limit inf -> 1.0"),
    ],
)  # fmt: skip
def test_a_difference_names_what_changed_with_both_values(before, now, words):
    assert changes(set(map(repr, before)), now) == words


def test_each_parameter_is_compared_with_the_most_similar_recorded_one():
    """The record has the values without their names."""
    before = {repr(CODE), repr({"tolerance": 0.1, "examples": 64}), repr({"examples": 10, "probes": 3}), repr([1, 2])}
    now = {
        "evaluation": {"examples": 10, "probes": 4},
        "hessian": {"tolerance": 0.2, "examples": 64},
        "points": [1, 3],
        "code": CODE.replace("aaa", "ddd"),
    }
    assert changes(before, now) == (
        "evaluation.probes 3 -> 4, hessian.tolerance 0.1 -> 0.2, points [1, 2] -> [1, 3], "
        "sharpest.trajectory.steps changed"
    )


def test_many_changes_are_counted():
    before = {repr(dict.fromkeys("abcdefghi", 0))}
    assert changes(before, {"s": dict.fromkeys("abcdefghi", 1)}).endswith("s.f 0 -> 1, and 3 more")


PLAN = """
[Tue Nov 24 22:18:42 2026]
rule train_run:
    output: results/tiny/runs/a/snapshots.h5, results/tiny/runs/a/history.csv
    jobid: 1
    reason: Params have changed since last execution: settings.lr 0.1 -> 0.05
    wildcards: run=a

rule draw_figure:
    input: results/tiny/runs/a/snapshots.h5
    output: results/tiny/figures/fig01.pdf
    reason: Input files updated by another job: results/tiny/runs/a/snapshots.h5
[Tue Nov 24 22:18:42 2026]
rule draw_figure:
    output: results/tiny/figures/fig02.pdf
    reason: Missing output files: results/tiny/figures/fig02.pdf
localrule all:
    input: results/tiny/figures/fig01.pdf
    reason: Input files updated by another job: results/tiny/figures/fig01.pdf
"""


def test_a_plan_becomes_a_line_for_each_cause():
    assert summary(PLAN) == (
        "results/tiny/runs/a/snapshots.h5: settings.lr 0.1 -> 0.05\n"
        "depend on these: 1 draw_figure\n"
        "not made yet: 1 draw_figure"
    )


def test_an_empty_plan_says_so():
    assert summary("Nothing to be done (all requested files are present and up to date).\n") == "nothing is stale"


def test_a_refusal_of_the_snakefile_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Snakefile").write_text(
        "from snakemake.exceptions import WorkflowError\nraise WorkflowError('a: is wrong; mend it')\n"
    )
    with pytest.raises(SharpestError, match=r"^a: is wrong; mend it$"):
        print_stale(["all"])


@pytest.mark.parametrize(
    ("arguments", "planned"),
    [
        (["-n", "--config", "scale=b"], "all"),
        (["-n", "one", "--config", "scale=b"], "one"),
    ],
)
def test_everything_is_planned_without_a_target(tmp_path, monkeypatch, capsys, arguments, planned):
    monkeypatch.chdir(tmp_path)
    rules = "".join(
        f"rule {name}:\n    output: '{name}.txt'\n    shell: 'touch {{output}}'\n" for name in ("one", "all")
    )
    (tmp_path / "Snakefile").write_text(rules)
    assert main(["why", *arguments]) == 0
    assert capsys.readouterr().out == f"not made yet: 1 {planned}\n"
