"""Randomly generated reviews."""

from sharpest.config.sources.base import ReviewSource

SOURCE = ReviewSource(num_train=1_600, num_test=400, num_classes=2, title="generated reviews")
