"""The files of studies, and what is stated in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sharpest.config.reading import read_yaml_file, validate
from sharpest.config.run import RunSettings
from sharpest.config.strict import Strict
from sharpest.config.studies import AnyStudy, first_runs
from sharpest.errors import ConfigError

_RunOf = Callable[[str], RunSettings | None]

_SETTINGS: Mapping[str, Callable[[RunSettings], str]] = {
    "eta": lambda run: f"{run.lr:g}",
    "S": lambda run: f"{run.batch_size:,}",
    "L": lambda run: f"{run.branch.epoch if run.branch else 0}",
}
PLACEHOLDERS = tuple(f"{{{name}}}" for name in _SETTINGS)
"""What a text may hold: learning rate, batch size, and epoch after which a branch leaves its parent."""
_FORMULA_OR_NAME = re.compile(r"\$[^$]*\$|\{(\w+)\}")


def unknown_placeholder(text: str) -> str:
    """The first placeholder of a text, outside formulas, that is not known; empty if there is none."""
    names = (match for match in re.finditer(_FORMULA_OR_NAME, text) if match[1] is not None)
    return next((match[0] for match in names if match[0] not in PLACEHOLDERS), "")


def stated(part: Any, used: _RunOf, published: _RunOf) -> Any:
    """The same study, or part of one, with the placeholders in its texts replaced by the settings of its runs.

    A text speaks of the runs of the part that holds it: a label of its run, a title of the runs of its panel, a caption
    of all runs. If they differ, all their values are listed.

    Args:
        part: A study, a part of it, or a value of one of its keys.
        used, published: Run id -> its settings at the scale, and at the paper's; None = the paper has no such run.
    """
    if isinstance(part, tuple):
        return tuple(stated(each, used, published) for each in part)
    if not isinstance(part, Strict):
        return part
    value_of = partial(_value, tuple(dict.fromkeys(first_runs(part))), used, published)
    changes = {
        name: re.sub(_FORMULA_OR_NAME, value_of, value) if isinstance(value, str) else stated(value, used, published)
        for name, value in part
    }
    return part.model_copy(update=changes)


def _value(runs: tuple[str, ...], used: _RunOf, published: _RunOf, match: re.Match[str]) -> str:
    """The text for a match: the values of a placeholder, while formulas stay."""
    setting = _SETTINGS.get(match[1] or "")
    if setting is None or not runs:
        return match[0]
    ours, paper = (
        "/".join(dict.fromkeys(setting(run) for run in map(run_of, runs) if run)) for run_of in (used, published)
    )
    return f"{ours} (paper: {paper})" if paper not in (ours, "") else ours


PAPER, BEYOND = "config/studies.yaml", "config/beyond.yaml"
"""The files, as error messages name them."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OF_PAPER = ("fig", "tab")
"""Prefixes of the names of the paper's figures and tables."""


def read_studies(
    folder: Path, of_scale: Mapping[str, Any], place: Callable[[str], str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paper's studies, and the studies beyond the paper, by name; those of a scale, if any, replace both.

    Args:
        folder: The folder ``config``.
        of_scale: Studies of the scale.
        place: Tells the place of a study of the scale, for error messages.

    Raises:
        ConfigError: In one line, with file, key and remedy.
    """
    for name, study in of_scale.items():
        _check_paper(f"{name} in {place(name)}", name, study)
    if of_scale:
        return dict(of_scale), {}
    paper = _read(folder / Path(PAPER).name)
    path = folder / Path(BEYOND).name
    beyond = _read(path, empty=True) if path.exists() else {}
    for name, study in paper.items():
        _check_paper(f"{name} in {PAPER}", name, study)
    for name, study in beyond.items():
        where = f"{name} in {BEYOND}"
        _check_name(where, name)
        _check_texts(where, study)
        if name.startswith(_OF_PAPER):
            raise ConfigError(f"{where}: names that begin with fig or tab are the paper's; say what the figure shows")
        if study.is_table:
            raise ConfigError(f"{where}: a study of kind {study.kind} makes a table; name a kind that draws")
    return paper, beyond


def _check_paper(place: str, name: str, study: Any) -> None:
    _check_name(place, name)
    _check_texts(place, study)
    if not name.startswith(_OF_PAPER[study.is_table]):
        what = "a table" if study.is_table else "a figure"
        raise ConfigError(
            f"{place}: the name of {what} begins with {_OF_PAPER[study.is_table]}; rename it, or move a figure of "
            f"your own to {BEYOND}"
        )


def _read(path: Path, empty: bool = False) -> dict[str, Any]:
    studies = read_yaml_file(path)
    values = {} if empty and studies.values is None else studies.values
    return validate(dict[str, AnyStudy], values, studies.place)  # type: ignore[no-any-return]


def _check_name(place: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{place}: a name has lower-case letters, digits and _, and begins with a letter; rename it")


def texts_in(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The texts in the values of a study, each with its key, such as ``rows.0.label``."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from texts_in(inner, f"{key}{'.' * bool(key)}{name}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from texts_in(inner, f"{key}.{number}")
    elif isinstance(value, str):
        yield key, value


def _check_texts(place: str, study: Any) -> None:
    """Check that texts can be drawn: a control character or half a formula would fail only after all is measured."""
    for key, text in texts_in(study.model_dump(exclude={"caption"})):
        if not text.isprintable():
            raise ConfigError(f"{place}: {key} {text!r} has a control character; remove it")
        if text.replace(r"\$", "").count("$") % 2:
            raise ConfigError(f"{place}: {key} {text!r} opens a formula and does not close it; write \\$ for a dollar")
    for key, text in texts_in(study.model_dump()):
        if unknown := unknown_placeholder(text):
            known = ", ".join(PLACEHOLDERS)
            raise ConfigError(f"{place}: {key} has the placeholder {unknown}, which is not one of {known}; correct it")
