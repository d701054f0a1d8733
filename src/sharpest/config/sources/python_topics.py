"""The language reference that comes with Python."""

from sharpest.config.sources.base import TokenSource

SOURCE = TokenSource(
    num_train=50_000, num_val=6_000, num_test=6_000, num_types=None, title="Python's language reference"
)
