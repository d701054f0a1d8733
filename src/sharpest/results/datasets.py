"""The layouts of decoded data, by kind of data."""

from sharpest.results.data import DATA
from sharpest.results.imported import IMPORTED
from sharpest.results.layout import Layout
from sharpest.results.reviews import REVIEWS
from sharpest.results.tokens import TOKENS

_LAYOUTS = {"images": DATA, "tokens": TOKENS, "reviews": REVIEWS, "imported": IMPORTED}


def data_layout(kind: str) -> Layout:
    """The layout of decoded ``images``, ``tokens`` or ``reviews``, or of the record of ``imported`` data."""
    return _LAYOUTS[kind]
