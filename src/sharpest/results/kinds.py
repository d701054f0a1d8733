"""Every kind of file but those of measures, for a reference."""

from pathlib import Path

from sharpest.results.data import DATA
from sharpest.results.layout import Layout
from sharpest.results.paths import Paths
from sharpest.results.reviews import REVIEWS
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.results.tokens import TOKENS


def kinds_of_files() -> list[tuple[Layout, Path]]:
    """Layouts, each with the place of its files; what varies stands in angle brackets."""
    paths = Paths.of("<scale>")
    data = [(layout, paths.data("<dataset>")) for layout in (DATA, TOKENS, REVIEWS)]
    return [*data, (SNAPSHOTS, paths.snapshots("<run>"))]
