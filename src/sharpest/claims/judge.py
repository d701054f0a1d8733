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
        claims: A row a claim: ``paper`` where it is a later one's, the ledger's columns, those of :class:`Judgement`,
            and ``p_holm``, p after Holm's correction over all claims that are judged and that no other one implies.
        chance: What chance would give, as :func:`~sharpest.claims.null.together` does.
        by_seed: The numbers behind the verdicts: ``id``, ``statement`` (from 0, where several have to hold), ``seed``,
            ``value``, ``error`` (within the run), and the bounds that are asked, ``at_least`` and ``at_most``.
        made_from: Digests of the files that were read, by their place in the folder of the scale.
    """

    claims: pd.DataFrame
    chance: pd.DataFrame
    by_seed: pd.DataFrame
    made_from: dict[str, str]


def judge(claims: Iterable[Claim], plans: Plans, folder: Path, paper_scale: bool) -> Judged:
    """Judge every claim.

    Args:
        claims: The ledger.
        plans: The runs behind each of them.
        folder: ``results/<scale>``.
        paper_scale: Whether this is the paper's scale; at others, claims that are not for any scale are measured and
            not judged.

    Raises:
        StoreError: If a file is missing or damaged.
    """
    ledger, reader = tuple(claims), SampleReader(Results(folder))
    rows, nulls, numbers = [], {}, []
    for claim in ledger:
        judge_one = Judge(claim, plans, reader, ledger)
        judgement, null = judge_one.judgement()
        if not (claim.any_scale or paper_scale):
            reason = f"judged at the paper's scale only; {judgement.reason}"
            judgement = replace(judgement, verdict="not_judged", p=math.nan, reason=reason)
        if null is not None:
            nulls[claim.id] = null
        rows.append({**claim.row, **asdict(judgement)})
        numbers += judge_one.by_seed()
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
