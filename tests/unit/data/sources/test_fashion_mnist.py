"""Fashion-MNIST: synthetic idx files, and the real ones if Debian's package is installed."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from sharpest.config.sources import FASHION_MNIST as SOURCE
from sharpest.data.sources import images
from sharpest.data.sources.images import DEBIAN_FOLDER, FASHION_MNIST_FILES
from sharpest.data.sources.images import read_fashion_mnist as load
from sharpest.errors import DataError

REMEDY = r"; install Debian's dataset-fashion-mnist or set sources\.fashion-mnist\.folder in config/config\.yaml"
TRAIN_IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
TEST_IMAGES = 255 - TRAIN_IMAGES[:2]
ARRAYS = {
    "train-images-idx3-ubyte": TRAIN_IMAGES,
    "train-labels-idx1-ubyte": np.array([2, 0, 1], np.uint8),
    "t10k-images-idx3-ubyte": TEST_IMAGES,
    "t10k-labels-idx1-ubyte": np.array([9, 7], np.uint8),
}


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "idx"
    folder.mkdir()
    for name, array in ARRAYS.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(_idx(array)))
    return folder


@pytest.fixture
def without_debian(monkeypatch, tmp_path):
    monkeypatch.setattr(images, "DEBIAN_FOLDER", tmp_path / "not-installed")


def _load(folder, url=None, cache=None, sha256=None):
    return load(folder, url, cache, sha256=sha256)


def _assert_is_what_was_written(data):
    np.testing.assert_array_equal(data.train_inputs, TRAIN_IMAGES[:, np.newaxis])
    np.testing.assert_array_equal(data.test_inputs, TEST_IMAGES[:, np.newaxis])
    assert data.train_targets.tolist() == [2, 0, 1]
    assert data.test_targets.tolist() == [9, 7]
    assert {data.train_inputs.dtype, data.test_inputs.dtype} == {np.dtype(np.uint8)}
    assert {data.train_targets.dtype, data.test_targets.dtype} == {np.dtype(np.int64)}


def test_packed_files(folder):
    data = _load(folder)
    _assert_is_what_was_written(data)
    assert data.origin == str(folder)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=rf"^{folder}/t10k-labels-idx1-ubyte\.gz does not exist{REMEDY}"):
        _load(folder)


@pytest.mark.parametrize("length", [5, 20, -9, -1])
def test_truncated_packed_file(folder, length):
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match=rf"^{path} is truncated or damaged \(.*\){REMEDY}"):
        _load(folder)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", r"begins with , expected the idx header 00000803"),
        (_idx(ARRAYS["train-labels-idx1-ubyte"]), r"begins with 00000801, expected the idx header 00000803"),
        (_idx(TRAIN_IMAGES).replace(b"\x08", b"\x0d", 1), r"begins with 00000d03"),
        (_idx(TRAIN_IMAGES)[:9], r"is truncated in its header"),
        (_idx(TRAIN_IMAGES)[:-1], r"holds 59 values, but its header says \(3, 4, 5\)"),
        (_idx(TRAIN_IMAGES) + b"x", r"holds 61 values, but its header says \(3, 4, 5\)"),
        (struct.pack(">I3I", 0x803, 2**32 - 3, 2**32 - 4, 5) + bytes(60), r"holds 60 values, but its header says"),
    ],
)
def test_wrong_idx_content(folder, content, complaint):
    """Packed or not."""
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=rf"^{path} {complaint}.*{REMEDY}"):
        _load(folder)
    path.unlink()
    path.with_suffix("").write_bytes(content)
    with pytest.raises(DataError, match=rf"^{path.with_suffix('')} {complaint}.*{REMEDY}"):
        _load(folder)


def test_other_arrays_than_expected(folder, tmp_path):
    with pytest.raises(DataError, match="Fashion-MNIST has b42e0f3189f49"):
        load(folder, None, tmp_path)
    right = _load(folder).sha256
    assert _load(folder, sha256=right).sha256 == right
    changed = TRAIN_IMAGES.copy()
    changed[2, 3, 4] ^= 1
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(_idx(changed)))
    with pytest.raises(
        DataError, match=rf"^{folder}: the decoded arrays have SHA-256 .*, Fashion-MNIST has {right}.*{REMEDY}"
    ):
        _load(folder, sha256=right)


def test_debians_folder_is_the_usual_place(folder, monkeypatch):
    monkeypatch.setattr(images, "DEBIAN_FOLDER", folder)
    assert _load(None).origin == str(folder)


@pytest.mark.usefixtures("without_debian")
def test_download_is_verified_and_kept(folder, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=rf"^{folder.as_uri()}/train-images-idx3-ubyte\.gz has SHA-256 .*{REMEDY}"):
        _load(None, folder.as_uri(), tmp_path / "cache")
    known = {name: hashlib.sha256((folder / f"{name}.gz").read_bytes()).hexdigest() for name in ARRAYS}
    monkeypatch.setattr(images, "FASHION_MNIST_FILES", known)
    data = _load(None, folder.as_uri() + "/", tmp_path / "cache")
    _assert_is_what_was_written(data)
    assert data.origin == folder.as_uri()
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {f"{name}.gz" for name in ARRAYS}


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason=f"no {DEBIAN_FOLDER}: install Debian's dataset-fashion-mnist")
def test_the_real_files(tmp_path):
    data = load(None, None, tmp_path)
    data.check(SOURCE)
    assert np.bincount(data.train_targets).tolist() == [6_000] * 10
    assert np.bincount(data.test_targets).tolist() == [1_000] * 10
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason=f"no {DEBIAN_FOLDER}: install Debian's dataset-fashion-mnist")
@pytest.mark.usefixtures("without_debian")
def test_the_recorded_checksums_belong_to_the_recorded_arrays(tmp_path):
    """The original .gz differ from Debian's only in the gzip header, so the test can make them and serve them."""
    for name, saved in zip(FASHION_MNIST_FILES, [1504176606, 1504176606, 1504176627, 1504176627], strict=True):
        debian = (DEBIAN_FOLDER / f"{name}.gz").read_bytes()
        header = debian[:3] + b"\x08" + struct.pack("<I", saved) + debian[8:10] + name.encode() + b"\0"
        (tmp_path / f"{name}.gz").write_bytes(header + debian[10:])
    load(None, tmp_path.as_uri(), tmp_path / "cache").check(SOURCE)
