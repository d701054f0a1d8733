"""The data stage: every source has its loader, and what it gives is checked."""

from dataclasses import replace

import pytest

from sharpest.config.source import SourceSettings
from sharpest.data import prepare as module
from sharpest.data.digits import load_digits
from sharpest.data.prepare import prepare
from sharpest.data.sources import SOURCES
from sharpest.errors import DataError


def test_every_source_has_a_loader():
    assert set(module._LOADERS) == set(SOURCES)


def test_digits_need_no_files(tmp_path):
    assert prepare("digits", SourceSettings(), tmp_path).sha256 == load_digits().sha256
    assert not list(tmp_path.iterdir())


def test_what_was_decoded_is_checked(tmp_path, monkeypatch):
    short = replace(load_digits(), test_targets=load_digits().test_targets[:-1])
    monkeypatch.setitem(module._LOADERS, "digits", lambda folder, url, cache: short)
    with pytest.raises(DataError, match="test targets are int64"):
        prepare("digits", SourceSettings(), tmp_path)


@pytest.mark.parametrize("source", ["fashion-mnist", "cifar-10"])
def test_folder_may_begin_with_the_home_folder(source, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError, match=rf"^{tmp_path}/data/.*: its folder does not exist"):
        prepare(source, SourceSettings(folder="~/data"), tmp_path)


def test_url_and_cache_reach_the_loader(tmp_path):
    with pytest.raises(DataError, match=r"cannot be downloaded from http://127\.0\.0\.1:9/archive"):
        prepare("cifar-10", SourceSettings(url="http://127.0.0.1:9/archive"), tmp_path)
