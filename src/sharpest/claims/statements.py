"""What a claim says of its samples, as they are and with their labels permuted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.series import Series
from sharpest.claims.shapes import Statistic
from sharpest.claims.verdicts import Bounds, Measured, Sample

Orders = NDArray[np.int64]
"""(p, n, l): of each permutation, by seed, which of the l rows stands in the place of each."""


@dataclass(frozen=True)
class Statements:
    """Numbers that have to lie within bounds, each by seed.

    Attributes:
        rows: (l, n) samples: levels, runs or directions, by seed.
        bounds: Lowest and highest allowed value of each number.
        places: Which rows a number is of: one, or two that ``compare`` makes one number.
        compare: Makes one number of two rows.
        over_levels: The number is this statistic of the curve whose points are all rows; ``places`` and ``compare``
            say nothing then.
    """

    rows: Sequence[Sequence[Sample]]
    bounds: Bounds
    places: Sequence[tuple[int, ...]]
    compare: Callable[[Sample, Sample], Sample] | None = None
    over_levels: Statistic | None = None

    @property
    def num_seeds(self) -> int:
        return len(self.rows[0])

    @cached_property
    def as_they_are(self) -> Orders:
        """(1, n, l), no permutation."""
        shape = (1, self.num_seeds, len(self.rows))
        return np.broadcast_to(np.arange(len(self.rows)), shape)

    def measured(self, orders: Orders) -> Measured:
        """(q, p, n), the numbers under each permutation."""
        if self.over_levels is not None:
            return self._over_levels(orders)
        parts = [self._placed(place, orders) for place in self.places]
        values, errors, blocks, above, below = (np.stack(part) for part in zip(*parts, strict=True))
        return Measured(values, errors, blocks, np.any(above, axis=-1), np.any(below, axis=-1))

    @cached_property
    def _table(self) -> tuple[NDArray[Any], ...]:
        """(l, n) or, of rows that are compared, (l, l, n): values, errors, blocks, open above, open below."""
        if self.compare is None:
            cells = np.array(self.rows, dtype=object)
        else:
            count = len(self.rows)
            cells = np.empty((count, count, self.num_seeds), dtype=object)
            for first in range(count):
                for second in range(count):
                    pairs = zip(self.rows[first], self.rows[second], strict=True)
                    # a row is never compared with itself
                    cells[first, second] = [a if first == second else self.compare(a, b) for a, b in pairs]
        names = ("value", "error", "blocks", "open_above", "open_below")
        return tuple(np.vectorize(lambda sample, name=name: getattr(sample, name))(cells) for name in names)

    def _placed(self, place: tuple[int, ...], orders: Orders) -> list[NDArray[Any]]:
        chosen = tuple(orders[:, :, row] for row in place)
        return [part[(*chosen, np.arange(self.num_seeds))] for part in self._table]

    def _over_levels(self, orders: Orders) -> Measured:
        """The statistic over the levels; each order of a seed's values is taken once."""
        assert self.over_levels is not None
        values, known = np.array([[sample.value for sample in row] for row in self.rows]), {}
        result = np.empty((1, *orders.shape[:2]))
        for number, order in enumerate(orders):
            for seed, levels in enumerate(order):
                key = (seed, *levels.tolist())
                if key not in known:
                    curve = values[levels, seed]
                    known[key] = self.over_levels(Series(np.arange(len(curve), dtype=float), curve[:, None]))
                result[0, number, seed] = known[key]
        unknown, closed = np.full_like(result, np.nan), np.zeros(result.shape[:2], dtype=bool)
        return Measured(result, unknown, unknown, closed, closed)


def neighbours(count: int) -> list[tuple[int, ...]]:
    """Places of the neighbouring levels of an order."""
    return list(pairwise(range(count)))
