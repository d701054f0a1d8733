"""The IMDB reviews."""

from sharpest.config.sources.base import ReviewSource

SOURCE = ReviewSource(num_train=25_000, num_test=25_000, num_classes=2, title="IMDB")
