"""The statements of a claim about its samples, as measured and with permuted labels."""

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
"""Row indices (p, n, l): for each of p permutations and n seeds, the row that replaces each of the l rows."""


@dataclass(frozen=True)
class Statements:
    """Numbers that must lie within bounds, by seed.

    Attributes:
        rows: Samples (l, n) of l levels, runs or directions, by seed.
        bounds: Lowest and highest allowed value of each number.
        places: For each number, the row it comes from, or the two rows that ``compare`` combines.
        compare: Combines the samples of two rows into one.
        over_levels: If given, the only number is this statistic of the curve through all rows; ``places`` and
            ``compare`` are unused.
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
        """The identity (1, n, l)."""
        shape = (1, self.num_seeds, len(self.rows))
        return np.broadcast_to(np.arange(len(self.rows)), shape)

    def measured(self, orders: Orders) -> Measured:
        """The q numbers under each permutation (q, p, n)."""
        if self.over_levels is not None:
            return self._over_levels(orders)
        parts = [self._placed(place, orders) for place in self.places]
        values, errors, blocks, above, below = (np.stack(part) for part in zip(*parts, strict=True))
        return Measured(values, errors, blocks, np.any(above, axis=-1), np.any(below, axis=-1))

    @cached_property
    def _table(self) -> tuple[NDArray[Any], ...]:
        """Values, errors, blocks, open above and open below: (l, n), or (l, l, n) for pairs of rows."""
        if self.compare is None:
            cells = np.array(self.rows, dtype=object)
        else:
            count = len(self.rows)
            cells = np.empty((count, count, self.num_seeds), dtype=object)
            for first in range(count):
                for second in range(count):
                    pairs = zip(self.rows[first], self.rows[second], strict=True)
                    # the diagonal is unused: no row is compared with itself
                    cells[first, second] = [a if first == second else self.compare(a, b) for a, b in pairs]
        names = ("value", "error", "blocks", "open_above", "open_below")
        return tuple(np.vectorize(lambda sample, name=name: getattr(sample, name))(cells) for name in names)

    def _placed(self, place: tuple[int, ...], orders: Orders) -> list[NDArray[Any]]:
        chosen = tuple(orders[:, :, row] for row in place)
        return [part[(*chosen, np.arange(self.num_seeds))] for part in self._table]

    def _over_levels(self, orders: Orders) -> Measured:
        """The statistic over the levels, computed once for each order of a seed's values."""
        assert self.over_levels is not None
        values, computed = np.array([[sample.value for sample in row] for row in self.rows]), {}
        result = np.empty((1, *orders.shape[:2]))
        for number, order in enumerate(orders):
            for seed, levels in enumerate(order):
                key = (seed, *levels.tolist())
                if key not in computed:
                    curve = values[levels, seed]
                    computed[key] = self.over_levels(Series(np.arange(len(curve), dtype=float), curve[:, None]))
                result[0, number, seed] = computed[key]
        unknown, closed = np.full_like(result, np.nan), np.zeros(result.shape[:2], dtype=bool)
        return Measured(result, unknown, unknown, closed, closed)


def neighbours(count: int) -> list[tuple[int, ...]]:
    """Index pairs of the neighbouring levels of an order."""
    return list(pairwise(range(count)))
