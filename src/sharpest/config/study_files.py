"""The studies of the paper, ``config/studies.yaml``, and those beyond it, ``config/beyond.yaml``."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sharpest.config.reading import validate
from sharpest.config.stated import PLACEHOLDERS, unknown_placeholder
from sharpest.config.studies.every import AnyStudy
from sharpest.config.yaml_file import read_yaml_file
from sharpest.errors import ConfigError

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
