"""The layout of decoded data by its kind."""

from sharpest.results.data import DATA
from sharpest.results.imported import IMPORTED
from sharpest.results.layout import Layout
from sharpest.results.reviews import REVIEWS
from sharpest.results.tokens import TOKENS

_LAYOUTS = {"images": DATA, "tokens": TOKENS, "reviews": REVIEWS, "imported": IMPORTED}


def data_layout(kind: str) -> Layout:
    """What is in a file of decoded ``images``, ``tokens`` or ``reviews``, or the record of ``imported`` ones."""
    return _LAYOUTS[kind]
