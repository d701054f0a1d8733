"""Every layout of a results file."""

from sharpest.config.measures import declared, measure_names
from sharpest.results.datasets import DATA, IMPORT_RECORD, REVIEWS, TOKENS
from sharpest.results.snapshots import SNAPSHOTS

LAYOUTS = [DATA, TOKENS, REVIEWS, IMPORT_RECORD, SNAPSHOTS, *(declared(name).layout for name in measure_names())]
