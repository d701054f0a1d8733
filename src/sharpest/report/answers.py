"""Which other claims the runs of a figure or table answer, besides those about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sharpest.config.studies.base import Study
from sharpest.report.paper import FIGURE

if TYPE_CHECKING:  # not imported at run time: the page would depend on the code of the verdicts
    from sharpest.claims.ledger import Claim
    from sharpest.claims.plans import Plans
    from sharpest.claims.quantity import RunSource


def answered_beside(study: Study, item: str, claims: Iterable[Claim], plans: Plans) -> list[Claim]:
    """The claims about other sections and tables that read only runs and schedules of a study.

    Args:
        study: The study.
        item: Its name in the ledger.
        claims: All claims.
        plans: What each claim reads.
    """
    runs = set(study.runs())
    measured = {(source.kind, source.run, source.schedule) for source in study.inputs()}

    def covers(source: RunSource) -> bool:
        taken = {(measure, source.run, schedule) for measure, schedule in source.schedules.items()}
        if source.parent is not None:
            taken.add(("spectra", source.parent, source.schedules["spectra"]))
        return source.run in runs and taken <= measured

    others = (claim for claim in claims if claim["item"] != item and not claim["item"].startswith(FIGURE))
    # leave out claims that need no run
    return [claim for claim in others if plans[claim.id] and all(map(covers, plans[claim.id]))]
