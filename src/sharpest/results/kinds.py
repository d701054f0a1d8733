"""All kinds of files except those of measures, for the reference pages."""

from pathlib import Path

from sharpest.results import measured
from sharpest.results.datasets import DATA, IMPORT_RECORD, REVIEWS, TOKENS
from sharpest.results.layout import Layout
from sharpest.results.paths import Paths
from sharpest.results.snapshots import SNAPSHOTS


def layouts_without_measures() -> list[Layout]:
    """Layouts of the measures that can also be taken without the pipeline."""
    return [value for value in vars(measured).values() if isinstance(value, Layout)]


def kinds_of_files() -> list[tuple[Layout, Path]]:
    """Each layout with the path of its files; variable parts are in angle brackets."""
    paths = Paths.of("<scale>")
    data = [(layout, paths.data("<dataset>")) for layout in (DATA, TOKENS, REVIEWS, IMPORT_RECORD)]
    return [*data, (SNAPSHOTS, paths.snapshots("<run>"))]
