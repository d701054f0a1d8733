"""CIFAR-10."""

from functools import partial

from sharpest.config.sources import CIFAR_10 as SOURCE
from sharpest.data.sources.cifar import Cifar, load_cifar

CIFAR10 = Cifar(
    source="cifar-10",
    title=SOURCE.title,
    archive="cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    folder="cifar-10-batches-py",
    members={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    labels=b"labels",
)
load = partial(load_cifar, CIFAR10)
