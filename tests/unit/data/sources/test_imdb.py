"""IMDB: synthetic files in the format of Keras' reviews.npz."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from sharpest.config.sources import ReviewSource
from sharpest.data.sources import reviews
from sharpest.data.sources.reviews import IMDB_FILE, IMDB_URL
from sharpest.data.sources.reviews import read_imdb as load
from sharpest.errors import DataError

REMEDY = rf"; get {IMDB_FILE} again, e\.g\. from {IMDB_URL}, and set sources\.imdb\.folder in config/config\.yaml to"
TRAIN, TEST = [[1, 20, 88_583], [7], [2, 2]], [[5, 6], [1]]


def _lists(reviews: list[list[int]]) -> np.ndarray:
    array = np.empty(len(reviews), object)
    array[:] = reviews
    return array


ARRAYS = {
    "x_train": _lists(TRAIN),
    "y_train": np.array([1, 0, 1]),
    "x_test": _lists(TEST),
    "y_test": np.array([0, 1]),
}


def _write(folder: Path, arrays: dict[str, np.ndarray] = ARRAYS) -> str:
    """Write a file; its SHA-256."""
    folder.mkdir(exist_ok=True)
    np.savez(folder / IMDB_FILE, **arrays)
    return hashlib.sha256((folder / IMDB_FILE).read_bytes()).hexdigest()


def _load(folder, sha256="0" * 64, cache=None, url=None):
    return load(folder, url, cache, sha256=sha256)


class Intruder:
    """Creates a folder when it is unpickled."""

    def __init__(self, trace) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def _assert_is_what_was_written(data) -> None:
    # start token 1, then each word's number plus three, in the order of the file
    assert data.train_tokens.tolist() == [1, 4, 23, 88_586, 1, 10, 1, 5, 5]
    assert data.train_offsets.tolist() == [0, 4, 6, 9]
    assert data.train_targets.tolist() == [1, 0, 1]
    assert data.test_tokens.tolist() == [1, 8, 9, 1, 4]
    assert data.test_offsets.tolist() == [0, 3, 5]
    assert data.test_targets.tolist() == [0, 1]
    assert {data.train_tokens.dtype, data.test_tokens.dtype} == {np.dtype(np.int32)}
    assert {data.train_offsets.dtype, data.test_offsets.dtype} == {np.dtype(np.int64)}
    assert {data.train_targets.dtype, data.test_targets.dtype} == {np.dtype(np.int64)}


def test_reviews_in_the_order_of_the_file(tmp_path):
    data = _load(tmp_path, _write(tmp_path))
    _assert_is_what_was_written(data)
    assert data.origin == str(tmp_path / IMDB_FILE)


def test_classes_may_be_objects_too(tmp_path):
    changed = {**ARRAYS, "y_train": ARRAYS["y_train"].astype(object), "y_test": ARRAYS["y_test"].astype(object)}
    _assert_is_what_was_written(_load(tmp_path, _write(tmp_path, changed)))


def test_a_wrong_file_is_refused_before_anything_is_unpickled(tmp_path, monkeypatch):
    trace = tmp_path / "trace"
    intruders = np.array([Intruder(trace)], object)
    right = _write(tmp_path, {**ARRAYS, "x_train": intruders})

    def must_not_be_called(*_, **__):
        raise AssertionError("opened before its checksum was found right")

    monkeypatch.setattr(reviews.np, "load", must_not_be_called)
    with pytest.raises(DataError, match=rf"^{tmp_path}/{IMDB_FILE} has SHA-256 {right}, expected 0{{64}}: .*{REMEDY}"):
        _load(tmp_path)
    with pytest.raises(DataError, match="opened before"):
        _load(tmp_path, right)
    assert not trace.exists()


def test_the_default_checksum_is_the_original(tmp_path):
    _write(tmp_path)
    with pytest.raises(DataError, match="expected 69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"):
        load(tmp_path, None, tmp_path)


@pytest.mark.parametrize("name", ARRAYS)
def test_missing_array(tmp_path, name):
    sha256 = _write(tmp_path, {other: array for other, array in ARRAYS.items() if other != name})
    with pytest.raises(DataError, match=rf"^{tmp_path}/{IMDB_FILE} does not hold .*{name} is not a file.*{REMEDY}"):
        _load(tmp_path, sha256)


@pytest.mark.parametrize("kept", [0, 0.1, 0.5, 0.9])
def test_truncated_file(tmp_path, kept):
    _write(tmp_path)
    path = tmp_path / IMDB_FILE
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=rf"^{path} has SHA-256 .*{REMEDY}"):
        _load(tmp_path)
    # even if the damaged file's checksum is given as the right one
    with pytest.raises(DataError, match=rf"^{path} does not hold the IMDB reviews \(.*\){REMEDY}"):
        _load(tmp_path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    "changes",
    [
        {"x_train": _lists([["good", "bad"]])},
        {"x_test": np.arange(3)},
        {"x_test": _lists([[2**31]])},
        {"x_train": _lists([])},
        {"y_test": np.array(["good", "bad"])},
    ],
)
def test_other_content(tmp_path, changes):
    sha256 = _write(tmp_path, {**ARRAYS, **changes})
    with pytest.raises(DataError, match=rf"^{tmp_path}/{IMDB_FILE} does not hold the IMDB reviews \(.*\){REMEDY}"):
        _load(tmp_path, sha256)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/{IMDB_FILE} does not exist{REMEDY}"):
        _load(tmp_path)
    with pytest.raises(DataError, match=rf"^{tmp_path}/nowhere/{IMDB_FILE}: its folder does not exist{REMEDY}"):
        _load(tmp_path / "nowhere")


def test_wrong_count_of_reviews(tmp_path):
    data = _load(tmp_path, _write(tmp_path))
    with pytest.raises(DataError, match=rf"^IMDB from {tmp_path}/{IMDB_FILE}: the train set has 3 reviews and 3 class"):
        data.check(ReviewSource(4, 2, 2, "IMDB"))


def test_download_is_verified_and_kept(tmp_path):
    sha256 = _write(tmp_path / "served")
    url, cache = (tmp_path / "served" / IMDB_FILE).as_uri(), tmp_path / "cache"
    data = _load(None, sha256, cache, url)
    _assert_is_what_was_written(data)
    assert data.origin == url
    assert [path.name for path in cache.iterdir()] == [IMDB_FILE]


def test_no_connection(tmp_path):
    with pytest.raises(DataError, match=rf"^{IMDB_FILE} cannot be downloaded .*: no connection .*{REMEDY}"):
        _load(None, cache=tmp_path, url="http://127.0.0.1:9/file")
