"""Your own images."""

from sharpest.config.sources.base import ImageSource

# nothing is known before they are read
SOURCE = ImageSource(num_train=None, num_test=None, shape=None, num_classes=None, title="images of your own")
