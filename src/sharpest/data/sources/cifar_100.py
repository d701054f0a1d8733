"""CIFAR-100, with its 100 fine classes."""

from functools import partial

from sharpest.config.sources import CIFAR_100 as SOURCE
from sharpest.data.sources.cifar import Cifar, load_cifar

CIFAR100 = Cifar(
    source="cifar-100",
    title=SOURCE.title,
    archive="cifar-100-python.tar.gz",
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    folder="cifar-100-python",
    members={
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    },
    labels=b"fine_labels",
)
load = partial(load_cifar, CIFAR100)
