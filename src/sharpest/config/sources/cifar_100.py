"""CIFAR-100, with its fine classes."""

from sharpest.config.sources.base import ImageSource

SOURCE = ImageSource(num_train=50_000, num_test=10_000, shape=(3, 32, 32), num_classes=100, title="CIFAR-100")
