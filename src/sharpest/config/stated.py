"""Texts of figures and tables that state a setting: the value used, and the paper's in brackets where it differs."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from sharpest.config.run import RunSettings
from sharpest.config.strict import Strict
from sharpest.config.studies.base import NamedRun, SeedRuns

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
    value_of = partial(_value, tuple(dict.fromkeys(_runs(part))), used, published)
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


def _runs(part: Any) -> Iterator[str]:
    """The runs of a part of a study."""
    if isinstance(part, NamedRun):
        yield part.run
    elif isinstance(part, SeedRuns):
        yield part.runs[0]
    elif isinstance(part, tuple):
        for each in part:
            yield from _runs(each)
    elif isinstance(part, Strict):
        for _, value in part:
            yield from _runs(value)
