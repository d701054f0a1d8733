"""Plan what each claim reads: its runs and their schedules. Checked when the workflow starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

from sharpest.claims.ledger import Claim
from sharpest.claims.quantities import quantity_of
from sharpest.claims.quantity import OF_SPECTRA, Quantity, RunSource
from sharpest.claims.shapes import FEWEST_POINTS
from sharpest.config.measures import declared
from sharpest.config.run_id import RunId, without_seed
from sharpest.errors import ConfigError, meant

if TYPE_CHECKING:  # not imported at run time: verdicts would depend on the whole configuration
    from sharpest.config.project import Project
    from sharpest.config.schedule import Schedule

_ITEM = re.compile(r"(fig|tab)(\d+)|((?:fig|tab)\w+)|sec\w+(?:\.\d+)*")
_ALPHA = re.compile(r"\d+(?:\.\d+)?")
_DIRECTION = re.compile(r"e([1-9]\d*)")
_FACETS = {
    "alpha": "the scale of the step as facet, such as 0.5",
    "direction": "a direction as facet, such as e1",
}
_OF_A_RUN = frozenset({"snapshots", "history"})  # needs that no schedule measures
_ENDS = "ends"  # default schedule of the end points

Plans = Mapping[str, tuple[RunSource, ...]]
"""Id of a claim -> its runs."""


def with_new_seeds(claims: Iterable[Claim], project: Project) -> tuple[Claim, ...]:
    """The claims with the seeds of their runs replaced by the new seeds of their study, if it has any.

    The study is that of the claim's figure or table, or else the one whose schedule its quantity is bound to. A scale
    with studies of its own has only their claims.
    """
    there = [claim for claim in claims if not project.scale.studies or _own_study(claim) in project.studies]
    return tuple(_with_seeds(claim, project) for claim in there)


def _with_seeds(claim: Claim, project: Project) -> Claim:
    with _errors_named(claim):
        own = _own_study(claim)
        seeds = project.seeds(own if own in project.studies else quantity_of(claim["quantity"]).study)
        if not seeds or not claim.groups:
            return claim
        return claim.of_seeds(seeds)


@contextmanager
def _errors_named(claim: Claim) -> Iterator[None]:
    """Prefix configuration errors with the file and the id of a claim."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{claim.place}: {error}") from None


def plan_claims(claims: Iterable[Claim], project: Project) -> Plans:
    """What each claim reads at the project's scale, whose studies may use fewer seeds than the ledger names.

    Raises:
        ConfigError: If a claim does not fit its quantity, or no run or schedule provides what it needs; with its id and
            the remedy.
    """
    # a study beyond the paper adds no seed to the paper's claims
    left_out = {beyond: _left_out(project, beyond) for beyond in (False, True)}
    plans, row = {}, project.scale_runs.row
    for claim in claims:
        with _errors_named(claim):
            _check(claim, project)
            runs = [run for run in claim.runs if run not in left_out[bool(claim.paper)]]
            # a new seed has the settings of a row of the table
            sources = {each: _source(claim, each, project) for each in dict.fromkeys(map(row, runs))}
            plans[claim.id] = tuple(sources[row(run)].of_run(run) for run in runs)
    return plans


def _left_out(project: Project, beyond: bool) -> set[str]:
    """Runs that the paper's studies (or those beyond it) name, but that the scale does not use."""
    names = [name for name in project.studies if (name in project.beyond) == beyond]
    named = {run for name in names for run in project.studies[name].runs()}
    return named - {run for name in names for run in project.study(name).runs()}


def facets(claim: Claim) -> tuple[str, ...]:
    """The facets its quantity is read for: the levels of its order, or its facet; one empty text if there are none.

    Raises:
        ConfigError: If the facet is missing or unused.
    """
    facet = quantity_of(claim["quantity"]).facet
    if facet is None or claim.levels:
        if claim["facet"]:
            user = "an order, whose levels are its facets" if facet else claim["quantity"]
            raise ConfigError(f"facet {claim['facet']!r} is not used by {user}; remove it")
        return claim.levels if facet else ("",)
    if not claim["facet"]:
        raise ConfigError(f"{claim['quantity']} needs {_FACETS[facet]}")
    return (claim["facet"],)


def _check(claim: Claim, project: Project) -> None:
    quantity = quantity_of(claim["quantity"])
    if claim.paper and claim["item"] not in project.beyond:
        hint = meant(claim["item"], project.beyond, f"it has {', '.join(project.beyond) or 'none'}")
        raise ConfigError(f"item {claim['item']!r} should be a figure of config/beyond.yaml; {hint}")
    if not claim.paper and not _ITEM.fullmatch(claim["item"]):
        raise ConfigError(
            f"item {claim['item']!r} should be a figure (fig4, fig_mine), a table (tab1) or a section (sec3.2)"
        )
    for run in claim.runs:
        project.run(run)
    if bool(quantity.needs) != bool(claim.groups):
        raise ConfigError(f"{quantity.name} needs {'runs' if quantity.needs else 'no runs'}; correct subject")
    if quantity.is_curve and claim["kind"] != "trend":
        raise ConfigError(f"{quantity.name} is a curve; set kind to trend")
    facets(claim)
    _check_groups(claim, quantity)


def _check_groups(claim: Claim, quantity: Quantity) -> None:
    """Check that the claim compares as many groups of runs as its kind needs, and that they fit its levels."""
    num_groups = len(claim.groups)
    if quantity.facet and claim.levels:
        allowed: Iterable[int] = range(1, num_groups + 1)
    elif claim.levels:
        allowed = [len(claim.levels)]
    elif claim["kind"] == "trend" and not quantity.is_curve:
        allowed = range(FEWEST_POINTS, num_groups + 1)
    else:
        allowed = [2 if quantity.compare else 1 if quantity.needs else 0]
    if num_groups not in allowed and not _pooled(claim, quantity):
        raise ConfigError(
            f"subject names {num_groups} settings, not counting seeds; it needs "
            f"{' or '.join(map(str, allowed)) or f'{FEWEST_POINTS} or more'}; correct subject or expected"
        )
    if claim.levels and not quantity.facet:
        ordered_groups(claim)


def _pooled(claim: Claim, quantity: Quantity) -> bool:
    """Whether the claim may say the same of several settings, and must hold for each."""
    return claim["kind"] in ("value", "range", "sign") and not quantity.compare and bool(claim.groups)


def ordered_groups(claim: Claim) -> tuple[tuple[str, ...], ...]:
    """The groups of runs in the order of the levels.

    The levels are the values of one part of the run ids. If no part has exactly these values, as for bn or K20, the
    levels follow the order of the subject.

    Raises:
        ConfigError: If a level is a number and no part of the ids has exactly these values.
    """
    ids = [RunId.parse(group[0]) for group in claim.groups]
    levels = [_number(level) for level in claim.levels]
    for part in fields(RunId):
        groups = {getattr(run, part.name): group for run, group in zip(ids, claim.groups, strict=True)}
        if set(groups) == set(levels):
            return tuple(groups[level] for level in levels)
    if numbers := [level for level in levels if isinstance(level, float)]:
        raise ConfigError(
            f"levels {', '.join(f'{level:g}' for level in numbers)} do not occur in the run ids of subject"
        )
    return claim.groups


def _number(level: str) -> float | str:
    try:
        return float(level)
    except ValueError:
        return level


def _source(claim: Claim, run: str, project: Project) -> RunSource:
    quantity = quantity_of(claim["quantity"])
    needs = set(quantity.needs)
    measures = (needs - OF_SPECTRA - _OF_A_RUN) | ({"spectra"} if needs & OF_SPECTRA else set())
    schedules = {measure: _schedule(claim, quantity, measure, run, project) for measure in sorted(measures)}
    for measure, name in schedules.items():
        if measure not in project.schedule(run, name).measures:
            raise ConfigError(f"schedules.{name} does not take {measure}; add it to its measures")
    along = project.schedule(run, schedules["spectra"]) if "spectra" in measures else None
    branch = project.run(run).branch
    if along and "window" in needs and along.window is None:
        raise ConfigError(f"schedules.{along.name} has no window_epochs; add it")
    if along and "accuracy" in needs and not along.measures["spectra"].accuracy_every:
        key = f"schedules.{along.name}.measures.spectra.accuracy_every"
        raise ConfigError(f"no accuracies are measured; set {key} to at least 1")
    if "parent" in needs and branch is None:
        raise ConfigError(f"run {run!r} is not a branch; name a run with an L in its id")
    if quantity.full_batch and not project.run(run).full_batch:
        raise ConfigError(f"{quantity.name} needs full-batch runs, unlike {run!r}; name a run with -fb in its id")
    if quantity.place is not None:
        (measure,) = quantity.needs
        _check_place(quantity.place, measure, project.schedule(run, schedules[measure]))
    if "directions" in needs:
        _check_directions(claim, quantity, project.schedule(run, schedules["directions"]))
    return RunSource(
        run=run,
        schedules=schedules,
        window=along.window if along and "window" in needs else None,
        parent=branch.parent if branch and "parent" in needs else None,
    )


def _schedule(claim: Claim, quantity: Quantity, measure: str, run: str, project: Project) -> str:
    """The schedule whose points of a measure a claim reads.

    Raises:
        ConfigError: If no schedule measures the run.
    """
    own = _own_study(claim)
    if measure == "evaluations":
        return str(getattr(project.studies.get(own or ""), "ends", _ENDS))
    if quantity.study is not None:
        schedules = {curve.schedule for curve in project.study(quantity.study).curves()}
        if len(schedules) != 1:
            raise ConfigError(f"{quantity.name} needs {quantity.study} to measure all its runs by one schedule")
        return str(schedules.pop())
    if own is None:
        raise ConfigError(f"{quantity.name} is measured by the schedule of a figure; set item to a figure")
    figure = project.study(own)
    # the claim's own figure, else the first figure of the same kind that shows this run with any seed
    for study in (figure, *(study for study in project.studies.values() if study.kind == figure.kind)):
        names = [curve.schedule for curve in study.curves() if without_seed(curve.run) == without_seed(run)]
        # among several schedules, prefer one that takes the measure
        preferred = [name for name in names if measure in project.schedule(run, name).measures]
        if names:
            return str([*preferred, *names][0])
    file = "beyond.yaml" if claim.paper else "studies.yaml"
    raise ConfigError(f"no study measures {quantity.name} of {run!r}; add the run to {claim['item']} in {file}")


def _own_study(claim: Claim) -> str | None:
    """The name of the study of the claim's figure or table; None for a section or an invalid item, refused later."""
    if claim.paper:
        return claim["item"]
    match = _ITEM.fullmatch(claim["item"])
    if match is None:
        return None
    if match[1] == "fig":
        return f"{match[1]}{int(match[2]):02d}"
    return claim["item"] if match[1] or match[3] else None


def _check_place(place: tuple[str, int], measure: str, schedule: Schedule) -> None:
    """Check that the index into a stored column exists.

    Raises:
        ConfigError: If the index is too large.
    """
    letter, index = place
    length = declared(measure).lengths(schedule.measures[measure]).get(letter)
    if length is not None and index >= length:
        raise ConfigError(
            f"index {index} is too large for {measure} in schedules.{schedule.name}, whose {letter} ends at "
            f"{length - 1}; lower it"
        )


def _check_directions(claim: Claim, quantity: Quantity, schedule: Schedule) -> None:
    settings, key = schedule.measures["directions"], f"schedules.{schedule.name}.measures.directions"
    for facet in facets(claim):
        direction = _DIRECTION.fullmatch(facet)
        if quantity.facet == "direction" and direction is None:
            raise ConfigError(f"unknown direction {facet!r}; write e1, e2 and so on")
        if quantity.facet == "alpha" and not _ALPHA.fullmatch(facet):
            raise ConfigError(f"scale of the step {facet!r} should be a number such as 0.5")
        if quantity.facet == "alpha" and float(facet) not in settings.alphas:
            raise ConfigError(f"alpha {facet} is not in {key}.alphas; add it")
        for index in (int(direction[1]) if direction else None, quantity.direction):
            if index is not None and index not in settings.indices:
                raise ConfigError(f"direction {index} is not in {key}.indices; add it")
