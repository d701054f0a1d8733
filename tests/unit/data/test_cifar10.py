"""CIFAR-10: archives made here in the form of the true one."""

import hashlib
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest

from sharpest.data import cifar10
from sharpest.data.cifar10 import CIFAR10_ARCHIVE, CIFAR10_URL, load_cifar10
from sharpest.errors import DataError

REMEDY = rf"; get {CIFAR10_ARCHIVE} anew, e\.g\. from {CIFAR10_URL}, and set sources\.cifar-10\.folder in config/config"
NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
IMAGES = 2  # per batch


def _pickle_as_python2(value: object) -> bytes:
    """Protocol 2 as Python 2 wrote it: texts are byte strings, and numpy's function is in numpy.core."""

    def save_text(pickler, text):
        encoded = text if isinstance(text, bytes) else text.encode("latin1")
        pickler.write(pickle.BINSTRING + struct.pack("<i", len(encoded)) + encoded)

    class Pickler(pickle._Pickler):
        dispatch = {**pickle._Pickler.dispatch, bytes: save_text, str: save_text}  # noqa: RUF012

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(value)
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def _pickle_as_python3(value: object) -> bytes:
    return pickle.dumps(value, protocol=2)


def _rows(batch: int) -> np.ndarray:
    return np.random.default_rng(batch).integers(0, 256, (IMAGES, 3072), dtype=np.uint8)


def _batches() -> dict[str, dict[bytes, object]]:
    return {
        name: {
            b"batch_label": b"training batch",
            b"labels": [i, 9 - i],
            b"data": _rows(i),
            b"filenames": [b"a.png", b"b.png"],
        }
        for i, name in enumerate(NAMES)
    }


def _write(folder, members: dict[str, bytes]) -> str:
    """Write an archive; its SHA-256."""
    folder.mkdir(exist_ok=True)
    path = folder / CIFAR10_ARCHIVE
    with tarfile.open(path, "w:gz") as tar:
        directory = tarfile.TarInfo("cifar-10-batches-py")
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for name, content in {"batches.meta": _pickle_as_python2({b"num_vis": 3072}), **members}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pickled(pickle_as=_pickle_as_python2) -> dict[str, bytes]:
    return {name: pickle_as(batch) for name, batch in _batches().items()}


def _load(folder, sha256, cache=None, url=None):
    return load_cifar10(folder, url, cache, sha256=sha256)


class Intruder:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, trace) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def test_intruder_would_leave_a_trace(tmp_path):
    pickle.loads(pickle.dumps(Intruder(tmp_path / "trace"), protocol=2))
    assert (tmp_path / "trace").exists()


@pytest.mark.parametrize("pickle_as", [_pickle_as_python2, _pickle_as_python3])
def test_batches_in_order(tmp_path, pickle_as):
    # the true archive does not hold its batches in order either
    members = dict(reversed(_pickled(pickle_as).items()))
    data = _load(tmp_path, _write(tmp_path, members))
    np.testing.assert_array_equal(data.train_inputs.reshape(-1, 3072), np.concatenate([_rows(i) for i in range(5)]))
    np.testing.assert_array_equal(data.test_inputs.reshape(-1, 3072), _rows(5))
    assert data.train_targets.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert data.test_targets.tolist() == [5, 4]
    assert {data.train_inputs.dtype, data.test_inputs.dtype} == {np.dtype(np.uint8)}
    assert {data.train_targets.dtype, data.test_targets.dtype} == {np.dtype(np.int64)}
    assert data.origin == str(tmp_path / CIFAR10_ARCHIVE)


def test_pickles_are_like_those_of_python2():
    pickled = _pickle_as_python2(_batches()["test_batch"])
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in pickled
    assert b"_codecs" not in pickled


def test_planes_are_red_green_blue_row_by_row(tmp_path):
    batches = _batches()
    row = np.zeros(3072, np.uint8)
    row[1024 + 2 * 32 + 5] = 7  # green, third row, sixth column
    batches["data_batch_1"][b"data"] = np.stack([row, row])
    members = {name: _pickle_as_python2(batch) for name, batch in batches.items()}
    data = _load(tmp_path, _write(tmp_path, members))
    assert data.train_inputs.shape == (5 * IMAGES, 3, 32, 32)
    assert np.argwhere(data.train_inputs[0]).tolist() == [[1, 2, 5]]


def test_a_wrong_checksum_is_refused_before_anything_is_opened(tmp_path, monkeypatch):
    trace = tmp_path / "trace"
    right = _write(tmp_path, {**_pickled(), "data_batch_1": pickle.dumps(Intruder(trace), protocol=2)})

    def must_not_be_called(*_, **__):
        raise AssertionError("opened before its checksum was found right")

    monkeypatch.setattr(cifar10.tarfile, "open", must_not_be_called)
    monkeypatch.setattr(cifar10, "_BatchUnpickler", must_not_be_called)
    wrong = "0" * 64
    with pytest.raises(
        DataError, match=rf"^{tmp_path}/{CIFAR10_ARCHIVE} has SHA-256 {right}, expected {wrong}.*{REMEDY}"
    ):
        _load(tmp_path, wrong)
    assert not trace.exists()
    with pytest.raises(AssertionError, match="opened before"):
        _load(tmp_path, right)


def test_code_in_a_pickle_is_never_run(tmp_path):
    trace = tmp_path / "trace"
    members = {**_pickled(), "data_batch_3": pickle.dumps({b"data": Intruder(trace)}, protocol=2)}
    complaint = (
        rf"^{tmp_path}/{CIFAR10_ARCHIVE}, member data_batch_3 is no batch .*asks for (posix|nt)\.mkdir\){REMEDY}"
    )
    with pytest.raises(DataError, match=complaint):
        _load(tmp_path, _write(tmp_path, members))
    assert not trace.exists()


@pytest.mark.parametrize(
    "name", ["builtins\neval", "os\nsystem", "numpy\nload", "numpy.core.multiarray\narray", "copyreg\n_reconstructor"]
)
def test_no_other_name_is_known(tmp_path, name):
    members = {**_pickled(), "test_batch": b"\x80\x02c" + name.encode() + b"\n."}
    with pytest.raises(DataError, match=rf"member test_batch .*asks for {name.replace(chr(10), '.')}"):
        _load(tmp_path, _write(tmp_path, members))


@pytest.mark.parametrize(
    "value",
    [
        {b"data": _rows(0)},
        {b"labels": [0, 1]},
        {b"data": _rows(0)[:, :-1], b"labels": [0, 1]},
        {b"data": _rows(0), b"labels": [b"cat", b"dog"]},
        [1, 2],
    ],
)
def test_a_member_that_is_no_batch(tmp_path, value):
    members = {**_pickled(), "data_batch_2": _pickle_as_python2(value)}
    with pytest.raises(DataError, match=rf"{CIFAR10_ARCHIVE}, member data_batch_2 is no batch of CIFAR-10.*{REMEDY}"):
        _load(tmp_path, _write(tmp_path, members))


def test_a_truncated_pickle(tmp_path):
    members = _pickled()
    members["data_batch_5"] = members["data_batch_5"][:-100]
    with pytest.raises(DataError, match=rf"member data_batch_5 is no batch of CIFAR-10.*{REMEDY}"):
        _load(tmp_path, _write(tmp_path, members))


@pytest.mark.parametrize("kept", [0, 0.001, 0.1, 0.5, 0.9])
def test_truncated_archive(tmp_path, kept):
    right = _write(tmp_path, _pickled())
    path = tmp_path / CIFAR10_ARCHIVE
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=rf"^{path} has SHA-256 .*{REMEDY}"):
        _load(tmp_path, right)
    # even if somebody takes the damaged archive for the right one
    with pytest.raises(DataError, match=rf"^{path} is truncated or damaged \(.*\){REMEDY}"):
        _load(tmp_path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_4", "test_batch"])
def test_missing_member(tmp_path, name):
    members = _pickled()
    del members[name]
    with pytest.raises(DataError, match=rf"^{tmp_path}/{CIFAR10_ARCHIVE} lacks cifar-10-batches-py/{name}{REMEDY}"):
        _load(tmp_path, _write(tmp_path, members))


def test_missing_archive(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/{CIFAR10_ARCHIVE} does not exist{REMEDY}"):
        load_cifar10(tmp_path, None, tmp_path)


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/nowhere/{CIFAR10_ARCHIVE}: its folder does not exist{REMEDY}"):
        load_cifar10(tmp_path / "nowhere", None, tmp_path)


def test_the_true_checksum_is_what_is_expected_by_default(tmp_path):
    _write(tmp_path, _pickled())
    with pytest.raises(DataError, match="expected 6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"):
        load_cifar10(tmp_path, None, tmp_path)


def test_download_is_verified_and_kept(tmp_path):
    right = _write(tmp_path / "served", _pickled())
    url, cache = (tmp_path / "served" / CIFAR10_ARCHIVE).as_uri(), tmp_path / "cache"
    data = _load(None, right, cache, url)
    assert data.origin == url
    assert len(data.train_inputs) == 5 * IMAGES
    assert [path.name for path in cache.iterdir()] == [CIFAR10_ARCHIVE]
    with pytest.raises(DataError, match=rf"^{url} has SHA-256 .*{REMEDY}"):
        _load(None, "0" * 64, tmp_path / "other", url)


def test_no_connection(tmp_path):
    with pytest.raises(DataError, match=rf"^{CIFAR10_ARCHIVE} cannot be downloaded .*: no connection .*{REMEDY}"):
        load_cifar10(None, "http://127.0.0.1:9/archive", tmp_path)
