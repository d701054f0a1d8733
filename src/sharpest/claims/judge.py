"""Judge all claims on the results of a scale."""

import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from statsmodels.stats.multitest import multipletests

from sharpest.claims.judgement import Judge, Judgement
from sharpest.claims.ledger import COLUMNS, Claim
from sharpest.claims.null import together
from sharpest.claims.plans import Plans
from sharpest.claims.samples import SampleReader
from sharpest.results.runs import Results

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
