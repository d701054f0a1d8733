"""The handwritten digits that come with scikit-learn."""

from sharpest.config.sources.base import ImageSource

SOURCE = ImageSource(num_train=1_497, num_test=300, shape=(1, 8, 8), num_classes=10, title="scikit-learn digits")
