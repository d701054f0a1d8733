"""Rated sentences of movie reviews."""

from sharpest.config.sources.base import ReviewSource

SOURCE = ReviewSource(num_train=9_568, num_test=1_000, num_classes=2, title="rated sentences of movie reviews")
