"""The data sources, as facts that a configuration can be checked against without loading anything."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A data source: counts, image shape (channels, height, width), classes, and a sentence for readers."""

    num_train: int
    num_test: int
    shape: tuple[int, int, int]
    num_classes: int
    title: str


SOURCES = {
    "digits": Source(1_497, 300, (1, 8, 8), 10, "scikit-learn digits"),
    "fashion-mnist": Source(60_000, 10_000, (1, 28, 28), 10, "Fashion-MNIST"),
    "cifar-10": Source(50_000, 10_000, (3, 32, 32), 10, "CIFAR-10"),
}
