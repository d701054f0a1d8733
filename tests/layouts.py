"""Every layout of a results file."""

from sharpest.config.measures import declared, measure_names
from sharpest.results.data import DATA
from sharpest.results.imported import IMPORTED
from sharpest.results.reviews import REVIEWS
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.results.tokens import TOKENS

LAYOUTS = [DATA, TOKENS, REVIEWS, IMPORTED, SNAPSHOTS, *(declared(name).layout for name in measure_names())]
