"""What a results folder holds of a data set, it holds from one source."""

import re

import h5py
import pytest

from sharpest.data.recorded import check_recorded
from sharpest.errors import DataError


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "small" / "data"
    path.mkdir(parents=True)
    for name, source in (("c10", "fashion-mnist"), ("imdb", "imdb")):
        with h5py.File(path / f"{name}.h5", "w") as file:
            file.attrs["dataset"] = source
    return path


def test_the_same_sources_and_data_sets_not_yet_prepared(folder):
    check_recorded({"c10": "fashion-mnist", "imdb": "imdb", "ptb": "bible-kjv"}, folder)
    check_recorded({"c10": "cifar-10"}, folder / "nowhere")


@pytest.mark.parametrize(
    ("name", "recorded", "configured"),
    [("c10", "fashion-mnist", "cifar-10"), ("imdb", "imdb", "rated-sentences")],
)
def test_an_original_and_a_substitute_are_not_mixed(folder, name, recorded, configured):
    sources = {"c10": "fashion-mnist", "imdb": "imdb", name: configured}
    message = re.escape(f"{folder / name}.h5: holds {recorded}, the configuration says {configured}, and one results")
    with pytest.raises(DataError, match=rf"^{message}.*--configfile.*--directory.*delete {folder.parent}$"):
        check_recorded(sources, folder)


def test_a_damaged_file_is_left_to_the_jobs_that_read_it(folder):
    (folder / "c10.h5").write_bytes(b"no HDF5")
    h5py.File(folder / "imdb.h5", "w").close()
    check_recorded({"c10": "cifar-10", "imdb": "imdb"}, folder)
