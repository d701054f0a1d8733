"""What each claim reads: which runs, measured by which schedule; checked when the workflow starts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from sharpest.claims.files import Need, RunSource
from sharpest.claims.ledger import Claim, without_seed
from sharpest.claims.quantities import QUANTITIES
from sharpest.claims.quantity import Quantity
from sharpest.claims.series import FEWEST_POINTS
from sharpest.claims.steps import ALIGNMENTS
from sharpest.config.run_id import RunId
from sharpest.errors import ConfigError

if TYPE_CHECKING:  # the verdicts do not depend on the rest of the configuration
    from sharpest.config.project import Project

_ITEM = re.compile(r"(fig|tab)(\d+)|sec\w+(?:\.\d+)*")
_ALPHA = re.compile(r"alpha(\d+(?:\.\d+)?)")
_DIRECTION = re.compile(r"e([1-9]\d*)")
# read at the points of a schedule
_MEASURED: frozenset[Need] = frozenset({"spectrum", "accuracy", "window", "directions", "parent"})

Plans = Mapping[str, tuple[RunSource, ...]]
"""Id of a claim -> the runs behind it."""


def plan_claims(claims: Iterable[Claim], project: Project) -> Plans:
    """What each claim reads at the project's scale, whose studies may use fewer seeds than the ledger names.

    Raises:
        ConfigError: If a claim does not fit its quantity, or asks for what no run or schedule gives; in one line, with
            its id and the remedy.
    """
    everywhere = {run for study in project.studies.values() for run in study.runs()}
    used = {run for name in project.studies for run in project.study(name).runs()}
    plans = {}
    for claim in claims:
        try:
            _check(claim, project)
            runs = [run for run in claim.runs if run in used or run not in everywhere]
            plans[claim.id] = tuple(_source(claim, run, project) for run in runs)
        except ConfigError as error:
            raise ConfigError(f"config/claims.csv, claim {claim.id}: {error}") from None
    return plans


def files_behind(claims: Iterable[Claim], plans: Plans) -> list[str]:
    """Every file that is read, below the folder of the scale."""
    return sorted(
        {
            source.path(need)
            for claim in claims
            for source in plans[claim.id]
            for need in QUANTITIES[claim["quantity"]].needs
        }
    )


def facets(claim: Claim) -> tuple[str, ...]:
    """What its quantity has to be told beside the run: the levels of its order, or one; empty text for nothing.

    The scale of a step stands in the id of the claim, as in fig6.alpha0.5.scnn.sign.

    Raises:
        ConfigError: If it is nowhere.
    """
    facet = QUANTITIES[claim["quantity"]].facet
    if facet is None:
        return ("",)
    if claim.levels:
        return claim.levels
    if facet == "direction":
        return ("e1",)
    match = _ALPHA.search(claim.id)
    if facet != "alpha" or match is None:
        raise ConfigError(
            f"{claim['quantity']} needs "
            + ("the scale of the step in the id, as in fig6.alpha0.5.scnn" if facet == "alpha" else "an order")
        )
    return (match[1],)


def _check(claim: Claim, project: Project) -> None:
    name = claim["quantity"]
    if name not in QUANTITIES:
        close = difflib.get_close_matches(name, QUANTITIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(QUANTITIES)}"
        raise ConfigError(f"quantity {name!r} is not known; {hint}")
    if not _ITEM.fullmatch(claim["item"]):
        raise ConfigError(f"item {claim['item']!r} should be a figure (fig4), a table (tab1) or a section (sec3.2)")
    for run in claim.runs:
        project.run(run)
    quantity = QUANTITIES[name]
    if bool(quantity.needs) != bool(claim.groups):
        raise ConfigError(f"{name} needs {'runs' if quantity.needs else 'no run'}; correct subject")
    if quantity.is_curve and claim["kind"] != "trend":
        raise ConfigError(f"{name} is a curve; its kind should be trend")
    facets(claim)
    _check_groups(claim, quantity)


def _check_groups(claim: Claim, quantity: Quantity) -> None:
    """That as many runs are compared as the kind of the claim needs, in the order of its levels."""
    found = len(claim.groups)
    if quantity.facet and claim.levels:
        wanted: Iterable[int] = range(1, found + 1)
    elif claim.levels:
        wanted = [len(claim.levels)]
    elif claim["kind"] == "trend" and not quantity.is_curve:
        wanted = range(FEWEST_POINTS, found + 1)
    else:
        wanted = [2 if quantity.compare else 1 if quantity.needs else 0]
    if found not in wanted and not _pooled(claim, quantity):
        raise ConfigError(
            f"subject has {found} groups of runs that differ in more than their seed, expected "
            f"{' or '.join(map(str, wanted)) or f'{FEWEST_POINTS} or more'}; correct subject or expected"
        )
    if claim.levels and not quantity.facet:
        ordered_groups(claim)


def _pooled(claim: Claim, quantity: Quantity) -> bool:
    """Whether the claim says the same of several settings, each of which has to be so."""
    return claim["kind"] in ("value", "range", "sign") and not quantity.compare and bool(claim.groups)


def ordered_groups(claim: Claim) -> tuple[tuple[str, ...], ...]:
    """The groups of runs in the order of the levels.

    A level is the value of the part of the run ids that tells the groups apart. Levels that are in no id, such as bn or
    K20, stand in the order of the subject.

    Raises:
        ConfigError: If a number is among the levels, and no part of the ids has just these values.
    """
    ids = [RunId.parse(group[0]) for group in claim.groups]
    levels = [_number(level) for level in claim.levels]
    for part in fields(RunId):
        groups = {getattr(run, part.name): group for run, group in zip(ids, claim.groups, strict=True)}
        if set(groups) == set(levels):
            return tuple(groups[level] for level in levels)
    if numbers := [level for level in levels if isinstance(level, float)]:
        raise ConfigError(f"levels {', '.join(f'{level:g}' for level in numbers)} are no values in the ids of subject")
    return claim.groups


def _number(level: str) -> float | str:
    try:
        return float(level)
    except ValueError:
        return level


def _source(claim: Claim, run: str, project: Project) -> RunSource:
    quantity = QUANTITIES[claim["quantity"]]
    if not _MEASURED & set(quantity.needs):
        return RunSource(run=run)
    schedule = _schedule(claim, quantity, run, project)
    project.points(run, schedule)
    window, branch = project.window(run, schedule), project.run(run).branch
    if "window" in quantity.needs and window is None:
        raise ConfigError(f"schedules.{schedule} has no window_epochs; add it")
    if "accuracy" in quantity.needs and not project.schedule(schedule).accuracy_every:
        raise ConfigError(f"schedules.{schedule} takes no accuracies; give it accuracy_every")
    if "parent" in quantity.needs and branch is None:
        raise ConfigError(f"run {run!r} is no branch; name one of an L in its id")
    if "directions" in quantity.needs:
        _check_directions(claim, quantity, schedule, project)
    return RunSource(
        run=run,
        schedule=schedule,
        window=window if "window" in quantity.needs else None,
        parent=branch.parent if branch and "parent" in quantity.needs else None,
    )


def _schedule(claim: Claim, quantity: Quantity, run: str, project: Project) -> str:
    """The schedule that measures a run for a claim.

    Raises:
        ConfigError: If there is none.
    """
    if quantity.study is not None:
        schedules = {curve.schedule for curve in project.study(quantity.study).curves()}
        if len(schedules) != 1:
            raise ConfigError(f"{quantity.study} should measure all its runs by one schedule, for {quantity.name}")
        return schedules.pop()
    match = _ITEM.fullmatch(claim["item"])
    assert match is not None  # checked before
    if match[1] is None:
        raise ConfigError(f"{quantity.name} is measured by the schedule of a figure; name one as item")
    own = project.study(f"{match[1]}{int(match[2]):02d}" if match[1] == "fig" else claim["item"])
    # of its own figure, or of the first one drawn likewise, on this run or one of another seed
    for study in (own, *(study for study in project.studies.values() if study.kind == own.kind)):
        for curve in study.curves():
            if without_seed(curve.run) == without_seed(run):
                return curve.schedule
    raise ConfigError(f"no study measures {quantity.name} of {run!r}; add the run to {claim['item']} in studies.yaml")


def _check_directions(claim: Claim, quantity: Quantity, schedule: str, project: Project) -> None:
    measured = project.schedule(schedule).directions
    if measured is None:
        raise ConfigError(f"schedules.{schedule} measures no directions; give it directions")
    for facet in facets(claim):
        direction = _DIRECTION.fullmatch(facet)
        if quantity.facet == "direction" and direction is None:
            raise ConfigError(f"level {facet!r} is no direction; write e1, e2 and so on")
        if quantity.facet == "alignment" and facet not in ALIGNMENTS:
            raise ConfigError(f"level {facet!r} should be one of {', '.join(ALIGNMENTS)}")
        if quantity.facet == "alpha" and float(facet) not in measured.alphas:
            raise ConfigError(f"alpha {facet} is not in schedules.{schedule}.directions.alphas; add it")
        index = int(direction[1]) if direction else quantity.direction
        if index not in measured.indices:
            raise ConfigError(f"direction {index} is not in schedules.{schedule}.directions.indices; add it")
