"""A results folder holds each data set from a single source."""

import re

import h5py
import pytest

from sharpest.data.prepare import check_recorded
from sharpest.errors import DataError
from sharpest.results.paths import Paths


@pytest.fixture
def paths(tmp_path):
    paths = Paths.of("small", tmp_path)
    for name, source in (("c10", "fashion-mnist"), ("imdb", "imdb")):
        paths.data(name).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(paths.data(name), "w") as file:
            file.attrs["dataset"] = source
    return paths


def test_the_same_sources_and_data_sets_not_yet_prepared(paths):
    check_recorded({"c10": "fashion-mnist", "imdb": "imdb", "ptb": "bible-kjv"}, paths)
    check_recorded({"c10": "cifar-10"}, Paths(paths.folder / "nowhere"))


@pytest.mark.parametrize(
    ("name", "recorded", "configured"),
    [("c10", "fashion-mnist", "cifar-10"), ("imdb", "imdb", "rated-sentences")],
)
def test_an_original_and_a_substitute_are_not_mixed(paths, name, recorded, configured):
    sources = {"c10": "fashion-mnist", "imdb": "imdb", name: configured}
    message = re.escape(f"{paths.data(name)}: holds {recorded}, but the configuration says {configured}; a results")
    remedies = "--configfile.*--directory, or delete it, and whatever was made from it is made again"
    with pytest.raises(DataError, match=rf"^{message}.*{remedies}$"):
        check_recorded(sources, paths)


def test_a_damaged_file_is_left_to_the_jobs_that_read_it(paths):
    paths.data("c10").write_bytes(b"no HDF5")
    h5py.File(paths.data("imdb"), "w").close()
    check_recorded({"c10": "cifar-10", "imdb": "imdb"}, paths)
