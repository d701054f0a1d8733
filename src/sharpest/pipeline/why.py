"""Explain which results are stale, and why."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sharpest.errors import SharpestError

_LONGEST = 60  # characters of a value that are shown
_MOST = 6  # changes that are listed

_Leaves = dict[str, Any]


def changes(before: Collection[str], now: Mapping[str, Any]) -> str:
    """How the parameters of a job differ from the recorded ones, such as ``settings.lr 0.1 -> 0.05``.

    Args:
        before: Values that are only in the record, as texts; the record has no names.
        now: Name -> value of the parameters that are not in the record.
    """
    old = [_read(text) for text in before]
    differences: list[str] = []
    for name, value in now.items():
        leaves = _leaves(value)
        counterpart = max(old, key=lambda other: _likeness(_leaves(other), leaves), default=None)
        if counterpart is not None:
            old.remove(counterpart)
        differences += _differences({} if counterpart is None else _leaves(counterpart), leaves, name)
    differences += [f"{_short(value)} is gone" for value in old]
    rest = [f"and {len(differences) - _MOST} more"] if len(differences) > _MOST else []
    return ", ".join(differences[:_MOST] + rest)


def _read(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _leaves(value: Any) -> _Leaves:
    """Path -> value of all leaves of a parameter; for a fingerprint, module -> digest."""
    if isinstance(value, str) and value.startswith("scripts/"):
        return {name: _Digest(digest) for name, _, digest in (line.partition(" ") for line in value.splitlines())}
    return dict(_walk(value, ""))


class _Digest(str):
    """Digest of a module's code."""


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _walk(item, f"{path}.{key}")
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]")
    else:
        yield path, value


def _likeness(old: _Leaves, new: _Leaves) -> float:
    """Fraction of paths shared with values of the same type; equal values count double."""
    shared = [path for path in old.keys() & new.keys() if type(old[path]) is type(new[path])]
    return (len(shared) + sum(old[path] == new[path] for path in shared)) / (len(old) + len(new))


def _differences(old: _Leaves, new: _Leaves, name: str) -> list[str]:
    paths = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    return [_difference(old.get(path), new.get(path), name, path) for path in paths]


def _difference(old: Any, new: Any, name: str, path: str) -> str:
    """One change in words. ``None`` means that the setting is missing or has no value."""
    change = "is new" if old is None else "is gone" if new is None else "changed"
    if isinstance(new if old is None else old, _Digest):
        return f"{path} {change}"
    if change == "changed":
        return f"{name}{path} {_short(old)} -> {_short(new)}"
    return f"{name}{path} {_short(new if old is None else old)} {change}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) and value else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_JOB = re.compile(r"^(?:local)?rule (?P<rule>\w+):\n(?P<fields>(?:    .*\n)+)", re.MULTILINE)
_DEPENDENT = "Input files updated by another job"


def summary(plan: str) -> str:
    """Summarize a dry run: a line per job that is stale itself, and counts of the jobs that depend on these.

    Args:
        plan: The output of ``snakemake -n``.
    """
    stale, dependent, missing = [], Counter[str](), Counter[str]()
    for job in _JOB.finditer(plan):
        fields = dict(line.strip().split(": ", 1) for line in job["fields"].splitlines() if ": " in line)
        if "output" not in fields:
            continue  # a target without output files
        reason = fields["reason"]
        if reason.startswith("Missing output files"):
            missing[job["rule"]] += 1
        elif reason.startswith(_DEPENDENT):
            dependent[job["rule"]] += 1
        else:
            reason = reason.replace("Params have changed since last execution: ", "")
            stale.append(f"{fields['output'].split(', ')[0]}: {reason}")
    lines = [
        *sorted(stale),
        *([f"depend on these: {_counted(dependent)}"] if dependent else []),
        *([f"not made yet: {_counted(missing)}"] if missing else []),
    ]
    return "\n".join(lines or ["nothing is stale"])


def _counted(rules: Counter[str]) -> str:
    return ", ".join(f"{count} {rule}" for rule, count in sorted(rules.items()))


_DRY_RUN = """
import sys
from snakemake.cli import main, parse_args
arguments = ["--dry-run", *sys.argv[1:]]
main(arguments if parse_args(arguments)[1].targets else [*arguments, "--", "all"])
"""
"""A dry run of the named targets, or of ``all``; Snakemake's own parser knows which arguments are targets."""
_REFUSAL = re.compile(r"^WorkflowError in file .*:\n(?P<message>.+)$", re.MULTILINE)


def print_stale(arguments: Sequence[str]) -> int:
    """Print the summary of a dry run with targets and options of snakemake; without a target, of ``all``.

    Returns:
        The exit status of snakemake; if it fails for a reason not known here, its output is printed.

    Raises:
        SharpestError: If the Snakefile refuses the run, for example because of a setting.
    """
    command = [sys.executable, "-c", _DRY_RUN, *arguments]
    plan = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if plan.returncode and (refusal := _REFUSAL.search(plan.stdout)):
        raise SharpestError(refusal["message"])
    print(summary(plan.stdout) if plan.returncode == 0 else plan.stdout)
    return plan.returncode
