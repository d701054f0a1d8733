"""The verdict on each claim, and all claims of a scale judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from sharpest.claims.ledger import COLUMNS, Claim
from sharpest.claims.null import Null, Statements, neighbours, of_curves, of_labels, on_side, together
from sharpest.claims.plans import Plans, facets, ordered_groups
from sharpest.claims.quantities import quantity_of
from sharpest.claims.samples import Key, Reading, Rows, SampleReader
from sharpest.claims.shapes import Trend, UnmeasuredError, trend
from sharpest.claims.verdicts import Bounds, Numbers, Sample, Verdict, difference, ratio, verdict_of
from sharpest.config.run_id import RunId
from sharpest.results.runs import Results

_COMPARE = {"difference": difference, "ratio": ratio}
_WITH_SIBLINGS = ("value", "range", "sign")


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim and the numbers behind it.

    Attributes:
        value: The number judged; for an order, the decisive difference between neighbouring levels; for a trend, the
            statistic of its rule; NaN without a number.
        error: Its standard error; NaN if unknown.
        low, high: Its 95 % interval.
        seeds: Number of seeds that all of its runs share; 0 if the claim needs no run.
        verdict: Whether the claim holds.
        p: The lowest level at which the verdict stands; if inconclusive, at which there would be a verdict.
        p_null: Fraction of permutations or surrogates in which the claim is at least as true; NaN without any.
        null_holds: Fraction of them in which the claim would hold.
        as_claimed: Whether the number, ignoring its error, is on the claimed side; empty without a number.
        null_as_claimed: Fraction of permutations in which the number would be on the claimed side.
        reason: The requirement, the numbers behind the value, and the runs left out.
    """

    value: float
    error: float
    low: float
    high: float
    seeds: int
    verdict: Verdict
    p: float
    p_null: float
    null_holds: float
    as_claimed: str
    null_as_claimed: float
    reason: str


class Judge:
    """Judges one claim, at any scale."""

    def __init__(self, claim: Claim, plans: Plans, reader: SampleReader, ledger: Sequence[Claim]) -> None:
        self.claim, self.plans, self.reader, self.ledger = claim, plans, reader, ledger
        self.quantity = quantity_of(claim["quantity"])
        self.rule: Trend | None = trend(claim["expected"], self.quantity.sudden) if claim["kind"] == "trend" else None
        self.bounds: Bounds = self.rule.bounds if self.rule else claim.bounds
        by_shape = self.quantity.is_curve or self.quantity.surrogates == "shifts"
        statistic = self.rule.statistic if self.rule and self.quantity.is_curve else self.quantity.statistic
        self.reading = Reading(self.quantity, statistic, by_shape)
        self.groups = ordered_groups(claim) if claim.levels and not self.quantity.facet else claim.groups

        sources = plans[claim.id]
        self.by_run = {source.run: source for source in sources}
        self.rows: Rows
        self.rows, self.left_out = reader.rows(self.reading, self.groups, facets(claim), sources)

    @property
    def num_seeds(self) -> int:
        """Number of seeds that all groups share."""
        return len(next(iter(self.rows.values())))

    def by_seed(self) -> list[dict[str, object]]:
        """The numbers tested, one per statement and seed."""
        if not self.groups or not self.num_seeds:
            return []
        measured = self._statements.measured
        runs = [sample.run for sample in next(iter(self.rows.values()))]
        return [
            {
                "id": self.claim.id, "statement": number, "seed": RunId.parse(run).seed, "value": value, "error": error,
                "at_least": self.bounds[0], "at_most": self.bounds[1],
            }
            for number, (values, errors) in enumerate(zip(measured.values[:, 0], measured.errors[:, 0], strict=True))
            for run, value, error in zip(runs, values, errors, strict=True)
        ]  # fmt: skip

    def judgement(self) -> tuple[Judgement, Null | None]:
        """The verdict, and the claim under chance (None if there is nothing to permute)."""
        if not self.num_seeds:
            return _nothing("; ".join(self._left_out())), None
        measured = self._statements.measured
        p_holds, p_fails = (float(p[0]) for p in measured.over_all())
        if not self.groups:  # a claim about arithmetic has no error
            exact = self.bounds[0] <= float(measured.value[0, 0]) <= self.bounds[1]
            p_holds, p_fails = (0.0, 1.0) if exact else (1.0, 0.0)
        null = self._null()
        if null is not None and self.reading.by_shape:
            # noise has no shape, so a shape claim about noise rightly fails; but noise curves do not move together, in
            # either direction
            two_sided = self.quantity.surrogates == "shifts"
            p_holds = max(p_holds, min(2 * null.p_above, 1.0) if two_sided else null.p_above)
            p_fails = max(p_fails, min(2 * null.p_below, 1.0)) if two_sided else p_fails
        return self._judgement(measured, p_holds, p_fails, null), null

    @property
    def _alone(self) -> bool:
        """Whether one seed can decide; a comparison of different runs needs several."""
        between = self.quantity.compare or (self.claim.levels and not self.quantity.facet)
        return not between and not (self.rule and not self.quantity.is_curve)

    @cached_property
    def _statements(self) -> Statements:
        keys = list(self.rows)
        build = partial(Statements, list(self.rows.values()), self.bounds, alone=self._alone)
        if self.claim.levels:
            # facets are compared within each group of runs
            pairs = [pair for pair in neighbours(len(keys))
                     if not self.quantity.facet or keys[pair[0]][0] == keys[pair[1]][0]]  # fmt: skip
            return build(pairs, compare=difference)
        if self.rule and not self.quantity.is_curve:
            return build([()], over_levels=self.rule.statistic)
        if self.quantity.compare:
            return build([(0, 1)], compare=_COMPARE[self.quantity.compare])
        return build([(place,) for place in range(len(keys))])

    def _null(self) -> Null | None:
        if not self.groups:
            return None
        statements = self._statements
        if self.reading.by_shape:
            chance = [
                [self.reader.chance(self.reading, self.by_run[sample.run], facet) for sample in row]
                for (_, facet), row in self.rows.items()
            ]
            chance_by_draw = np.array(chance).swapaxes(1, 2)
            return of_curves(statements.measured, chance_by_draw, statements.runs, self.quantity.surrogates)
        if len(statements.places[0]) == 1:
            # one row per statement: swap it with another direction or setting
            others = self._others()
            if not others:
                return None
            statements = replace(statements, rows=[*statements.rows, *others])
        return of_labels(statements)

    def _others(self) -> list[list[Sample]]:
        """Rows exchangeable with the claim's only one: a random direction, or the runs of its sibling claims."""
        if len(self.rows) > 1:
            return []
        if self.quantity.control is not None:
            return [self._control] if self._control else []
        others: list[list[Sample]] = []
        for sibling in self._siblings():
            rows, _ = self.reader.rows(self.reading, sibling.groups, facets(sibling), self.plans[sibling.id])
            others += [row for row in rows.values() if len(row) == self.num_seeds]
        return others

    @cached_property
    def _control(self) -> list[Sample]:
        """The samples along a random direction, by run; empty if not measured or if the claim has several rows."""
        if self.quantity.control is None or len(self.rows) > 1:
            return []
        (((_, facet), row),) = self.rows.items()
        try:
            return [self.reader.control(self.reading, self.by_run[sample.run], facet) for sample in row]
        except UnmeasuredError:
            return []

    def _siblings(self) -> list[Claim]:
        """Claims of the same figure or table about the same quantity of other runs, each run once."""
        names = ("item", "quantity", "facet")
        by_groups = {self.claim.groups: self.claim}
        for claim in self.ledger:
            is_sibling = all(claim[name] == self.claim[name] for name in names) and len(claim.groups) == 1
            if is_sibling and claim["kind"] in _WITH_SIBLINGS:
                by_groups.setdefault(claim.groups, claim)
        return list(by_groups.values())[1:]

    def _judgement(self, measured: Numbers, p_holds: float, p_fails: float, null: Null | None) -> Judgement:
        verdict = verdict_of(p_holds, p_fails)
        # the decisive statement; among ties, the least true one
        level = measured.p_fails[:, 0] if verdict == "fails" else -measured.p_holds[:, 0]
        each = [replace(measured, values=values[None]).margins()[0] for values in measured.values]
        deciding = np.lexsort((each, level))[0]
        parts = (measured.value, measured.error, *measured.interval)
        value, error, low, high = (float(part[deciding, 0]) for part in parts)
        return Judgement(
            value,
            error,
            low,
            high,
            self.num_seeds if self.groups else 0,
            verdict,
            p_fails if verdict == "fails" else p_holds if verdict == "holds" else min(p_holds, p_fails),
            null.p_above if null else math.nan,
            float(null.holds.mean()) if null else math.nan,
            "yes" if on_side(measured.margins(), self.bounds)[0] else "no",
            float(null.as_claimed.mean()) if null else math.nan,
            "; ".join(
                [self._requirement(), *self._numbers(), *self._left_out(), *self._remarks(measured, null)]
            ),
        )  # fmt: skip

    def _left_out(self) -> list[str]:
        return [f"{run} left out: {why}" for run, why in self.left_out.items()]

    def _requirement(self) -> str:
        """The bounds required of the value, and what the value is if its quantity does not say so."""
        if self.claim.levels:
            return "required of the decisive difference: above 0"
        low, high = self.bounds
        if self.claim["kind"] == "sign":
            return f"required: {'above' if high == math.inf else 'below'} 0"
        ends = [f"at least {low:.3g}"] * math.isfinite(low) + [f"at most {high:.3g}"] * math.isfinite(high)
        return f"required{f' of the {self.rule.title}' if self.rule else ''}: {' and '.join(ends)}"

    def _numbers(self) -> list[str]:
        """The number of each level or run, if there are several."""
        if len(self.rows) == 1:
            return []
        names = _names(list(self.rows), self.groups, self.claim)
        means = {key: np.mean([sample.value for sample in row]) for key, row in self.rows.items()}
        return [", ".join(f"{names[key]}: {mean:.3g}" for key, mean in means.items())]

    def _remarks(self, measured: Numbers, null: Null | None) -> list[str]:
        remarks = []
        if self.num_seeds == 1 and self.groups:
            unknown = np.isnan(measured.error).any()
            why = ", whose error is unknown" if self._alone else ": the spread between runs is unknown"
            remarks.append(f"one seed{why if unknown else ''}")
        samples = [sample for row in self.rows.values() for sample in row]
        if self.quantity.compare == "difference" and len({each.examples for each in samples if each.examples}) > 1:
            remarks.append("the test sets differ, so examples are not compared one by one")
        low, high = measured.interval
        if math.inf in (high.max(), -low.min()) and any(sample.open_above for sample in samples):
            remarks.append("a curve ends at its highest point, so its peak is a lower bound")
        if self._control:
            remarks.append(f"along a random direction {np.mean([sample.value for sample in self._control]):.3g}")
        if null is None and self.groups:
            remarks.append("one level, nothing to permute")
        return remarks


def _nothing(reason: str) -> Judgement:
    """The judgement on a claim whose runs give no number."""
    nan = math.nan
    return Judgement(nan, nan, nan, nan, 0, "inconclusive", 1.0, nan, nan, "", nan, reason)


def _names(keys: Sequence[Key], groups: Sequence[Sequence[str]], claim: Claim) -> Mapping[Key, str]:
    """The name of each number: its level, its run without the seed, or run and facet if several runs have facets."""
    several = len(groups) > 1
    names = {}
    for number, (group, facet) in enumerate(keys):
        run = groups[group][0].rpartition("-s")[0]
        level = facet or (claim.levels[number] if claim.levels else "")
        names[group, facet] = f"{run} {facet}" if facet and several else level or run
    return names


_AFTER_LEDGER = (*list(Judgement.__dataclass_fields__)[:7], "p_holm", *list(Judgement.__dataclass_fields__)[7:])


class Judged(NamedTuple):
    """The verdicts on all claims.

    Attributes:
        claims: One row per claim: ``paper`` for claims of later papers, the columns of the ledger and of ``Judgement``,
            and ``p_holm``, p after Holm's correction over all judged claims that no other claim implies.
        chance: What chance would give, as returned by ``sharpest.claims.null.together``.
        by_seed: The numbers behind the verdicts: ``id``, ``statement`` (from 0, if several must hold), ``seed``,
            ``value``, ``error`` (within the run), and the required bounds ``at_least`` and ``at_most``.
        made_from: Digests of the files read, by path within the folder of the scale.
    """

    claims: pd.DataFrame
    chance: pd.DataFrame
    by_seed: pd.DataFrame
    made_from: dict[str, str]


def judge(claims: Iterable[Claim], plans: Plans, folder: Path, paper_scale: bool) -> Judged:
    """Judge every claim.

    Args:
        claims: The ledger.
        plans: The runs behind each claim.
        folder: ``results/<scale>``.
        paper_scale: Whether this is the paper's scale. Other scales judge only claims with ``any_scale`` and measure
            the rest without a verdict.

    Raises:
        StoreError: If a file is missing or damaged.
    """
    ledger, reader = tuple(claims), SampleReader(Results(folder))
    rows, nulls, numbers = [], {}, []
    for claim in ledger:
        claim_judge = Judge(claim, plans, reader, ledger)
        judgement, null = claim_judge.judgement()
        if not (claim.any_scale or paper_scale):
            reason = f"judged at the paper's scale only; {judgement.reason}"
            judgement = replace(judgement, verdict="not_judged", p=math.nan, reason=reason)
        if null is not None:
            nulls[claim.id] = null
        rows.append({**claim.row, **asdict(judgement)})
        numbers += claim_judge.by_seed()
    table = pd.DataFrame(rows, columns=None if rows else [*COLUMNS, *Judgement.__dataclass_fields__])
    counted = (table["verdict"] != "not_judged") & (table["implied_by"] == "")
    table["p_holm"] = math.nan
    if counted.any():
        table.loc[counted, "p_holm"] = multipletests(table.loc[counted, "p"], method="holm")[1]
    return Judged(
        table[[*["paper"] * ("paper" in table), *COLUMNS, *_AFTER_LEDGER]],
        together(table, nulls),
        pd.DataFrame(numbers, columns=["id", "statement", "seed", "value", "error", "at_least", "at_most"]),
        reader.results.made_from,
    )
