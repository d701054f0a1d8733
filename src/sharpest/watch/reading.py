"""The numbers of one measurement."""

from __future__ import annotations

import math


class Reading(dict[str, float]):
    """Plain numbers by name, in a form that any logger accepts; printed as one readable line.

    For each quantity, such as ``lambda_max``: the value, and ``lambda_max_error``, ``_over_edge``, ``_products`` and
    ``_seconds``. Also ``lr``, ``edge``, ``finite`` (0 if the loss is not finite) and the total ``seconds``.

    >>> print(Reading(lambda_max=12.0, lambda_max_error=0.01, lambda_max_over_edge=0.6, finite=1.0, seconds=0.25))
    lambda_max 12 +- 0.01 = 0.600 of the edge; 0.25 s
    """

    @property
    def quantities(self) -> list[str]:
        """Names of the measured quantities."""
        return [name.removesuffix("_over_edge") for name in self if name.endswith("_over_edge")]

    def __str__(self) -> str:
        parts = [self._text(name) for name in self.quantities]
        if not self["finite"]:
            parts = ["the loss is not finite"]
        if self.get("lr") == 0:
            parts.append("lr 0, no edge")
        return "; ".join([*parts, f"{self['seconds']:.2f} s"])

    def _text(self, name: str) -> str:
        share = self[f"{name}_over_edge"]
        error = self[f"{name}_error"]
        interval = "" if math.isnan(error) else f" +- {error:.1g}"
        edge = "" if math.isnan(share) else f" = {share:.3f} of the edge"
        return f"{name} {self.get(name, math.nan):.4g}{interval}{edge}"
