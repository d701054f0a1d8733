"""The Penn Treebank."""

from sharpest.config.sources.base import TokenSource

SOURCE = TokenSource(num_train=929_589, num_val=73_760, num_test=82_430, num_types=10_000, title="Penn Treebank")
