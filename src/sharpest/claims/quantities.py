"""All quantities by name, as the ledger calls them."""

from collections.abc import Mapping

from sharpest.claims.curves import CURVES
from sharpest.claims.end_points import END_POINTS
from sharpest.claims.quantity import Quantity
from sharpest.claims.steps import STEPS

QUANTITIES: Mapping[str, Quantity] = {quantity.name: quantity for quantity in (*CURVES, *STEPS, *END_POINTS)}
