"""The data stage: a source is found by its name, and its data are checked."""

import io
import re
import runpy
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from sharpest.config.sources import SOURCES, SourceSettings
from sharpest.data.prepare import check_recorded, prepare
from sharpest.data.sources import images
from sharpest.errors import DataError
from sharpest.pipeline.job import Progress
from sharpest.results.datasets import DATA, REVIEWS, TOKENS
from sharpest.results.file import open_stored
from sharpest.results.paths import Paths

SCRIPT = Path(__file__).parents[3] / "workflow/scripts/prepare_data.py"


@pytest.mark.parametrize(
    ("source", "layout", "note"),
    [
        ("digits", DATA, r"1,497 \+ 300 examples from scikit-learn"),
        ("python-topics", TOKENS, r"50,000 \+ 6,000 \+ 6,000 tokens of [\d,]+ types from Python"),
        ("generated-reviews", REVIEWS, r"1,600 \+ 400 reviews from generated"),
    ],
)
def test_the_script_writes_each_kind(source, layout, note, tmp_path):
    path, lines = tmp_path / "data.h5", io.StringIO()
    main = runpy.run_path(str(SCRIPT))["main"]
    main(SOURCES[source].kind, source, {}, "fingerprint", str(path), Progress("data", source, 1, "files", lines))
    data = prepare(SOURCES[source].kind, source, SourceSettings(), tmp_path)
    with open_stored(path, layout) as file:
        kept = file.attributes
        assert (kept["dataset"], kept["sha256"], kept["origin"]) == (source, data.sha256, data.origin)
        assert {name: file[name].tolist() for name in data.arrays} == {n: a.tolist() for n, a in data.arrays.items()}
    assert re.search(note, lines.getvalue())
    assert [each.name for each in tmp_path.iterdir()] == ["data.h5"]  # the quick scale needs no files


def test_decoded_data_are_checked(tmp_path, monkeypatch):
    short = replace(images.read_digits(), test_targets=images.read_digits().test_targets[:-1])
    monkeypatch.setattr(images, "read_digits", lambda folder, url, cache: short)
    with pytest.raises(DataError, match="test targets are int64"):
        prepare("images", "digits", SourceSettings(), tmp_path)


@pytest.mark.parametrize(
    "source", ["fashion-mnist", "cifar-10", "cifar-100", "ptb", "imdb", "bible-kjv", "rated-sentences"]
)
def test_folder_may_begin_with_the_home_folder(source, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match=rf"^{tmp_path}/data/.*: its folder does not exist"):
        prepare(SOURCES[source].kind, source, SourceSettings(folder="~/data"), tmp_path)


def test_url_and_cache_reach_the_loader(tmp_path):
    with pytest.raises(DataError, match=r"cannot be downloaded from http://127\.0\.0\.1:9/archive"):
        prepare("images", "cifar-10", SourceSettings(url="http://127.0.0.1:9/archive"), tmp_path)


@pytest.fixture
def paths(tmp_path):
    paths = Paths.of("small", tmp_path)
    for name, source in (("c10", "fashion-mnist"), ("imdb", "imdb")):
        paths.data(name).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(paths.data(name), "w") as file:
            file.attrs["dataset"] = source
    return paths


def test_sources_of_a_results_folder_are_not_mixed(paths):
    """Data sets not yet prepared do not count; a damaged file is left to the jobs that read it."""
    check_recorded({"c10": "fashion-mnist", "imdb": "imdb", "ptb": "bible-kjv"}, paths)
    check_recorded({"c10": "cifar-10"}, Paths(paths.folder / "nowhere"))
    message = re.escape(f"{paths.data('c10')}: holds fashion-mnist, but the configuration says cifar-10; a results")
    remedies = "--configfile.*--directory, or delete it, and whatever was made from it is made again"
    with pytest.raises(DataError, match=rf"^{message}.*{remedies}$"):
        check_recorded({"imdb": "imdb", "c10": "cifar-10"}, paths)
    paths.data("c10").write_bytes(b"no HDF5")
    h5py.File(paths.data("imdb"), "w").close()
    check_recorded({"c10": "cifar-10", "imdb": "imdb"}, paths)
