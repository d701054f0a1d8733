"""Studies beyond the paper: how they differ from the paper's, and mistakes refused in both."""

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


def test_they_may_have_seeds_and_a_note_of_the_scale(scales: Any) -> None:
    write(scales, "beyond.yaml", sharpness=SHARPNESS | {"seeds": 2})
    project = scales.load("notes: {sharpness: Beware.}\n")
    assert [curve.run[-5:] for curve in project.study("sharpness").curves_by_seed()] == ["s1001", "s1002"]
    with pytest.raises(ConfigError, match=r"'sharp' is not in config/studies\.yaml or config/beyond\.yaml"):
        project.study("sharp")
