"""Judge all claims on the results of a scale."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from sharpest.claims.files import RunFiles, RunSource
from sharpest.claims.ledger import COLUMNS, Claim
from sharpest.claims.plans import Plans, facets, ordered_groups
from sharpest.claims.quantities import quantity_of
from sharpest.claims.quantity import Quantity
from sharpest.claims.series import FEWEST_POINTS, Number, UnmeasuredError
from sharpest.claims.shapes import Statistic, still_rising
from sharpest.claims.trends import Trend, trend
from sharpest.claims.verdicts import (
    Sample,
    Verdict,
    difference,
    over_levels,
    pooled,
    ratio,
    within,
    worst,
)
from sharpest.results.runs import Results

_COMPARE = {"difference": difference, "ratio": ratio}
_NO_RUN = RunSource(run="")  # stands for the runs of a claim that needs none

_Key = tuple[int, str]  # group of runs, facet


@dataclass(frozen=True)
class Judgement:
    """What became of a claim.

    Attributes:
        value: The number that was judged; of an order the least difference between neighbouring levels, of a trend the
            statistic of its rule; NaN where there is none.
        spread: Its standard deviation; NaN where not known.
        seeds: Seeds behind it, that all of its runs share.
        verdict: Whether it holds.
        reason: What was asked for, the numbers behind the value, and which runs are left out.
    """

    value: float
    spread: float
    seeds: int
    verdict: Verdict
    reason: str


def judge(claims: Iterable[Claim], plans: Plans, folder: Path, paper_scale: bool) -> pd.DataFrame:
    """Judge every claim.

    Args:
        claims: The ledger.
        plans: The runs behind each of them.
        folder: ``results/<scale>``.
        paper_scale: Whether this is the paper's scale; at others, claims that are not for any scale are measured and
            not judged.

    Returns:
        A row a claim: the ledger's columns, and those of :class:`Judgement`.

    Raises:
        StoreError: If a file is missing or damaged.
    """
    results = Results(folder)
    rows = []
    for claim in claims:
        judgement = judge_claim(claim, plans[claim.id], results)
        if not (claim.any_scale or paper_scale):
            reason = f"judged at the paper's scale only; {judgement.reason}"
            judgement = replace(judgement, verdict="not_judged", reason=reason)
        rows.append({**claim.row, **asdict(judgement)})
    return pd.DataFrame(rows, columns=[*COLUMNS, "value", "spread", "seeds", "verdict", "reason"])


def judge_claim(claim: Claim, sources: Sequence[RunSource], results: Results) -> Judgement:
    """Judge one claim, whatever the scale; ``sources`` are those of its runs that the scale has."""
    quantity = quantity_of(claim["quantity"])
    rule = trend(claim["expected"], quantity.sudden) if claim["kind"] == "trend" else None
    groups = ordered_groups(claim) if claim.levels and not quantity.facet else claim.groups
    statistic = rule.statistic if rule and quantity.is_curve else quantity.statistic
    table, left_out = _measure(quantity, statistic, groups, facets(claim), sources, results)
    notes = [f"{run} left out: {why}" for run, why in left_out.items()]
    num_seeds = min(map(len, table.values()))
    if not num_seeds:
        return Judgement(math.nan, math.nan, 0, "inconclusive", "; ".join(notes))
    statements = [pooled(samples) for samples in _statements(table, claim, quantity, rule)]
    bounds = rule.bounds if rule else claim.bounds
    verdicts = [within(statement, bounds) for statement in statements]
    verdict = worst(verdicts)
    # the one that decides
    shown = min(
        (statement for statement, each in zip(statements, verdicts, strict=True) if each == verdict),
        key=lambda statement: statement.value,
    )
    if len(table) > 1:
        names = _names(list(table), groups, claim)
        notes.insert(0, ", ".join(f"{name}: {pooled(table[key]).value:.3g}" for key, name in names.items()))
    notes.insert(0, _asked(bounds, claim, rule))
    if math.isnan(shown.spread) and groups:
        notes.append("of one seed, whose spread is not known")
    if math.inf in (shown.high, -shown.low):
        notes.append("a curve ends at its highest, its peak is a lower bound")
    return Judgement(shown.value, shown.spread, num_seeds if groups else 0, verdict, "; ".join(notes))


def _measure(
    quantity: Quantity,
    statistic: Statistic | None,
    groups: Sequence[Sequence[str]],
    asked: Sequence[str],
    sources: Sequence[RunSource],
    results: Results,
) -> tuple[dict[_Key, list[Sample]], dict[str, str]]:
    """Samples by group and facet, of the seeds that all of them have; and why runs give none."""
    if not groups:
        return {(0, ""): [_sample(quantity, statistic, RunFiles(_NO_RUN, results), "")]}, {}
    by_run = {source.run: source for source in sources}
    left_out: dict[str, str] = {}
    samples: dict[_Key, dict[int, Sample]] = {}
    for place, group in enumerate(groups):
        for facet in asked:
            row = samples[place, facet] = {}
            for seed, run in enumerate(group):
                if run not in by_run:
                    continue  # the scale uses fewer seeds
                try:
                    row[seed] = _sample(quantity, statistic, RunFiles(by_run[run], results), facet)
                except UnmeasuredError as error:
                    left_out[run] = str(error)
    # runs are compared seed by seed
    common = sorted(set.intersection(*(set(row) for row in samples.values())))
    return {key: [row[seed] for seed in common] for key, row in samples.items()}, left_out


def _sample(quantity: Quantity, statistic: Statistic | None, files: RunFiles, facet: str) -> Sample:
    content = quantity.read(files, facet)
    if isinstance(content, Number):
        return Sample(content.value, content.replicates(files.source.run))
    if quantity.is_curve and len(content.epoch) < FEWEST_POINTS:
        raise UnmeasuredError(f"only {len(content.epoch)} points")
    assert statistic is not None  # curves that are judged have a rule, others a statistic
    return Sample(
        statistic(content),
        np.array([statistic(replicate) for replicate in content.replicates(files.source.run)]),
        open_above=quantity.lower_bound and still_rising(content),
    )


def _statements(
    table: Mapping[_Key, list[Sample]], claim: Claim, quantity: Quantity, rule: Trend | None
) -> list[list[Sample]]:
    """The numbers that have to lie within the bounds, each by seed."""
    rows = list(table.values())
    if claim.levels:
        # neighbouring levels: groups of runs, or facets of the same runs
        pairs = [(a, b) for a, b in pairwise(table) if not quantity.facet or a[0] == b[0]]
        return [list(map(difference, table[a], table[b])) for a, b in pairs]
    if rule and not quantity.is_curve:
        return [[over_levels(seed, rule.statistic) for seed in zip(*rows, strict=True)]]
    if quantity.compare:
        return [list(map(_COMPARE[quantity.compare], *rows))]
    return rows


def _names(keys: Sequence[_Key], groups: Sequence[Sequence[str]], claim: Claim) -> dict[_Key, str]:
    """What each number is called: the level, the run without its seed, or both where they are facets of several."""
    several = len(groups) > 1
    names = {}
    for number, (place, facet) in enumerate(keys):
        run = groups[place][0].rpartition("-s")[0]
        level = facet or (claim.levels[number] if claim.levels else "")
        names[place, facet] = f"{run} {facet}" if facet and several else level or run
    return names


def _asked(bounds: tuple[float, float], claim: Claim, rule: Trend | None) -> str:
    """What the value is, where its quantity does not say so, and what was asked of it."""
    if claim.levels:
        return "least difference, above 0 asked"
    low, high = bounds
    if claim["kind"] == "sign":
        return f"{'above' if high == math.inf else 'below'} 0 asked"
    asked = " and ".join([f"at least {low:.3g}"] * math.isfinite(low) + [f"at most {high:.3g}"] * math.isfinite(high))
    return f"{rule.title + ', ' if rule else ''}{asked} asked"
