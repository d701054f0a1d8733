"""The second part of the page: the claims of later papers about the same runs."""

from collections.abc import Iterable
from dataclasses import dataclass

from sharpest.report.ledger import Counts, JudgedClaim, count
from sharpest.report.paper import title_of_paper


@dataclass(frozen=True)
class LaterPaper:
    """A later paper and its claims."""

    key: str
    title: str
    claims: tuple[JudgedClaim, ...]
    counts: Counts


def later_papers(claims: Iterable[JudgedClaim]) -> tuple[LaterPaper, ...]:
    """Group the claims by paper, in the order of the ledger."""
    by_paper: dict[str, list[JudgedClaim]] = {}
    for claim in claims:
        by_paper.setdefault(claim.paper, []).append(claim)
    return tuple(LaterPaper(key, title_of_paper(key), tuple(own), count(own)) for key, own in by_paper.items())
