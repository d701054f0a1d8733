"""Every layout of a results file."""

from sharpest.config.measures import declared, measure_names
from sharpest.results.datasets import DATA, IMPORTED, REVIEWS, TOKENS
from sharpest.results.snapshots import SNAPSHOTS

LAYOUTS = [DATA, TOKENS, REVIEWS, IMPORTED, SNAPSHOTS, *(declared(name).layout for name in measure_names())]
