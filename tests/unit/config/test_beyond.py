"""Studies beyond the paper: how they differ from the paper's, and mistakes refused in both."""

import re
from typing import Any

import pytest
import yaml

from sharpest.errors import ConfigError

RUN = "scnn-c10-sgd-lr0.01-S128-s777"
CURVE = {"run": RUN, "schedule": "step", "label": "η = 0.01"}
SHARPNESS = {
    "kind": "measured", "caption": "Sharpness.",
    "panels": [{"title": "P", "measure": "spectra", "column": "eigenvalues", "index": [0], "curves": [CURVE]}],
}  # fmt: skip


def write(scales: Any, text: str, **studies: Any) -> None:
    (scales.folder / text).write_text(yaml.safe_dump(studies, sort_keys=False), encoding="utf-8")


@pytest.mark.parametrize("content", ["# nothing yet\n", "{}\n", None])
def test_they_are_optional(content: str | None, scales: Any) -> None:
    path = scales.folder / "beyond.yaml"
    path.unlink() if content is None else path.write_text(content)
    project = scales.load()
    assert project.beyond == ()
    assert [*project.figures, *project.tables] == list(project.studies)


def test_they_are_separate_from_the_papers(scales: Any) -> None:
    write(scales, "beyond.yaml", sharpness=SHARPNESS, top=SHARPNESS)
    project = scales.load()
    assert project.beyond == ("sharpness", "top")
    assert list(project.studies)[-2:] == ["sharpness", "top"]
    assert len(project.figures) == 22
    assert len(project.tables) == 7
    assert project.study("top").panels[0].title == "P"
    first, *rest = project.study_reductions("sharpness")
    assert first == "not in the paper"
    assert any("digits in place of CIFAR-10" in note for note in rest)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("fig_sharpness", {}, "fig_sharpness in config/beyond.yaml: names that begin with fig or tab are the paper's"),
        ("fig06", {}, "fig06 in config/beyond.yaml: names that begin with fig or tab are the paper's"),
        ("tab_sharpness", {}, "names that begin with fig or tab are the paper's; say what the figure shows"),
        ("Sharpness", {}, "Sharpness in config/beyond.yaml: a name has lower-case letters, digits and _"),
        ("a/../../b", {}, "a/../../b in config/beyond.yaml: a name has lower-case letters, digits and _"),
        ("9_lives", {}, "begins with a letter; rename it"),
        ("sharpness", {"kind": "pie"}, "sharpness.kind should be 'spectrum_evolution'"),
        (
            "ends",
            {"kind": "end_points", "rows": [{"label": "A", "runs": [RUN], "paper": {}}]},
            "ends in config/beyond.yaml: a study of kind end_points makes a table; name a kind that draws",
        ),
        (
            "sharpness",
            {"panels": [{**SHARPNESS["panels"][0], "curves": [CURVE | {"run": RUN.replace("777", "7")}]}]},
            "sharpness in config/beyond.yaml: run 'scnn-c10-sgd-lr0.01-S128-s7' is not in config/runs.tsv",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_the_file(name: str, changes: Any, message: str, scales: Any) -> None:
    study = {"kind": changes["kind"], "caption": "", **changes} if "kind" in changes else SHARPNESS | changes
    write(scales, "beyond.yaml", **{name: study})
    assert message in scales.refusal("")


@pytest.mark.parametrize(
    ("name", "study", "message"),
    [
        (
            "sharpness",
            SHARPNESS,
            "sharpness in config/studies.yaml: the name of a figure begins with fig; rename it, or",
        ),
        ("tab9", SHARPNESS, "tab9 in config/studies.yaml: the name of a figure begins with fig"),
        ("fig/../../x", SHARPNESS, "fig/../../x in config/studies.yaml: a name has lower-case letters"),
        (
            "fig99",
            {"kind": "end_points", "caption": "", "rows": [{"label": "A", "runs": [RUN], "paper": {}}]},
            "fig99 in config/studies.yaml: the name of a table begins with tab",
        ),
    ],
)
def test_the_papers_keep_their_prefixes(name: str, study: Any, message: str, scales: Any) -> None:
    path = scales.folder / "studies.yaml"
    studies = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**studies, name: study}), encoding="utf-8")
    assert message in scales.refusal("")


def test_a_wrong_name_in_a_scale_is_not_looked_for_in_the_papers_file(scales: Any) -> None:
    message = scales.refusal(yaml.safe_dump({"studies": {"sharpness": SHARPNESS}}))
    assert re.search(r"sharpness in .*scales/mine.yaml, line \d+: the name of a figure begins with fig", message)


def test_they_may_have_seeds_and_a_note_of_the_scale(scales: Any) -> None:
    write(scales, "beyond.yaml", sharpness=SHARPNESS | {"seeds": 2})
    project = scales.load("notes: {sharpness: Beware.}\n")
    assert [curve.run[-5:] for curve in project.study("sharpness").curves_by_seed()] == ["s1001", "s1002"]
    with pytest.raises(ConfigError, match=r"'sharp' is not in config/studies\.yaml or config/beyond\.yaml"):
        project.study("sharp")
