"""Fashion-MNIST."""

from sharpest.config.sources.base import ImageSource

SOURCE = ImageSource(num_train=60_000, num_test=10_000, shape=(1, 28, 28), num_classes=10, title="Fashion-MNIST")
