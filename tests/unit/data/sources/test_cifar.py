"""CIFAR-10 and CIFAR-100: synthetic archives and folders in the format of the originals."""

import hashlib
import io
import os
import pickle
import re
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sharpest.data.sources import files
from sharpest.data.sources import images as module
from sharpest.data.sources.images import CIFAR10, CIFAR100, Cifar, load_cifar
from sharpest.errors import DataError

IMAGES = 2  # per batch
TRUE_SHA256 = {
    "cifar-10": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar-100": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
}


@pytest.fixture(params=[CIFAR10, CIFAR100], ids=lambda cifar: cifar.source)
def cifar(request) -> Cifar:
    return request.param


@pytest.fixture
def remedy(cifar) -> str:
    return rf"; get {cifar.archive} again, e\.g\. from {cifar.url}, and set sources\.{cifar.source}\.folder in config"


def _pickle_as_python2(value: object) -> bytes:
    """Protocol 2 as written by Python 2: texts are byte strings, and numpy's function is in numpy.core."""

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


def _batches(cifar: Cifar) -> dict[str, dict[bytes, object]]:
    # besides the required classes, CIFAR-100 has coarse ones
    return {
        name: {
            b"filenames": [b"a.png", b"b.png"],
            b"batch_label": b"training batch",
            b"coarse_labels": [19, 18],
            cifar.labels: [i, 9 - i],
            b"data": _rows(i),
        }
        for i, name in enumerate(cifar.members)
    }


def _pickled(cifar: Cifar, pickle_as=_pickle_as_python2) -> dict[str, bytes]:
    return {name: pickle_as(batch) for name, batch in _batches(cifar).items()}


def _pack(cifar: Cifar, folder: Path, members: dict[str, bytes]) -> Cifar:
    """Write an archive, and return its description."""
    folder.mkdir(exist_ok=True)
    path = folder / cifar.archive
    with tarfile.open(path, "w:gz") as tar:
        directory = tarfile.TarInfo(cifar.folder)
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for name, content in {"meta": _pickle_as_python2({b"num_vis": 3072}), **members}.items():
            member = tarfile.TarInfo(f"{cifar.folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return replace(cifar, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def _unpack(cifar: Cifar, folder: Path, members: dict[str, bytes]) -> Cifar:
    """Write the unpacked files of an archive, and return their description."""
    folder.mkdir(exist_ok=True)
    for name, content in members.items():
        (folder / name).write_bytes(content)
    return replace(cifar, members={name: hashlib.md5(members[name]).hexdigest() for name in cifar.members})


def _load(cifar: Cifar, folder, cache=None, url=None):
    return load_cifar(cifar, folder, url, cache)


class Intruder:
    """Creates a folder when it is unpickled."""

    def __init__(self, trace) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def _forbid_opening(monkeypatch) -> None:
    def must_not_be_called(*_, **__):
        raise AssertionError("opened before its checksum was found right")

    monkeypatch.setattr(files.tarfile, "open", must_not_be_called)
    monkeypatch.setattr(module, "_BatchUnpickler", must_not_be_called)


def test_intruder_would_leave_a_trace(tmp_path):
    pickle.loads(pickle.dumps(Intruder(tmp_path / "trace"), protocol=2))
    assert (tmp_path / "trace").exists()


def test_pickles_are_like_those_of_python2():
    pickled = _pickle_as_python2(_batches(CIFAR10)["test_batch"])
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in pickled
    assert b"_codecs" not in pickled


def _assert_is_what_was_written(cifar: Cifar, data) -> None:
    *train, test = range(len(cifar.members))
    np.testing.assert_array_equal(data.train_inputs.reshape(-1, 3072), np.concatenate([_rows(i) for i in train]))
    np.testing.assert_array_equal(data.test_inputs.reshape(-1, 3072), _rows(test))
    assert data.train_targets.tolist() == [label for i in train for label in (i, 9 - i)]
    assert data.test_targets.tolist() == [test, 9 - test]
    assert {data.train_inputs.dtype, data.test_inputs.dtype} == {np.dtype(np.uint8)}
    assert {data.train_targets.dtype, data.test_targets.dtype} == {np.dtype(np.int64)}


@pytest.mark.parametrize("pickle_as", [_pickle_as_python2, _pickle_as_python3])
def test_archive(cifar, tmp_path, pickle_as):
    # in the original archive the batches are out of order, too
    members = dict(reversed(_pickled(cifar, pickle_as).items()))
    data = _load(_pack(cifar, tmp_path, members), tmp_path)
    _assert_is_what_was_written(cifar, data)
    assert data.origin == str(tmp_path / cifar.archive)


@pytest.mark.parametrize("inside", [True, False])
def test_unpacked_folder(cifar, tmp_path, inside):
    """The configured folder is the one above the files, or their own, under any name."""
    unpacked = tmp_path / (cifar.folder if inside else "elsewhere")
    described = _unpack(cifar, unpacked, _pickled(cifar))
    data = _load(described, tmp_path if inside else unpacked)
    _assert_is_what_was_written(cifar, data)
    assert data.origin == str(unpacked)


def test_the_archive_is_preferred(cifar, tmp_path):
    _unpack(cifar, tmp_path / cifar.folder, dict.fromkeys(cifar.members, b"damaged"))
    data = _load(_pack(cifar, tmp_path, _pickled(cifar)), tmp_path)
    assert data.origin == str(tmp_path / cifar.archive)


def test_planes_are_red_green_blue_row_by_row(cifar, tmp_path):
    batches = _batches(cifar)
    row = np.zeros(3072, np.uint8)
    row[1024 + 2 * 32 + 5] = 7  # green, third row, sixth column
    batches[next(iter(cifar.members))][b"data"] = np.stack([row, row])
    members = {name: _pickle_as_python2(batch) for name, batch in batches.items()}
    data = _load(_pack(cifar, tmp_path, members), tmp_path)
    assert data.train_inputs.shape == ((len(cifar.members) - 1) * IMAGES, 3, 32, 32)
    assert np.argwhere(data.train_inputs[0]).tolist() == [[1, 2, 5]]


def test_a_wrong_archive_is_refused_before_anything_is_opened(cifar, remedy, tmp_path, monkeypatch):
    trace, wrong = tmp_path / "trace", "0" * 64
    name = next(iter(cifar.members))
    right = _pack(cifar, tmp_path, {**_pickled(cifar), name: pickle.dumps(Intruder(trace), protocol=2)})
    _forbid_opening(monkeypatch)
    complaint = rf"^{tmp_path}/{cifar.archive} has SHA-256 {right.sha256}, expected {wrong}: .*{remedy}"
    with pytest.raises(DataError, match=complaint):
        _load(replace(right, sha256=wrong), tmp_path)
    assert not trace.exists()
    with pytest.raises(AssertionError, match="opened before"):
        _load(right, tmp_path)


def test_a_wrong_unpacked_file_is_refused_before_any_is_unpickled(cifar, remedy, tmp_path, monkeypatch):
    trace, name = tmp_path / "trace", list(cifar.members)[-1]
    right = _unpack(cifar, tmp_path / cifar.folder, _pickled(cifar))
    path = tmp_path / cifar.folder / name
    path.write_bytes(pickle.dumps({b"data": Intruder(trace)}, protocol=2))
    _forbid_opening(monkeypatch)
    with pytest.raises(DataError, match=rf"^{path} has MD5 [0-9a-f]+, expected {right.members[name]}: .*{remedy}"):
        _load(right, tmp_path)
    assert not trace.exists()


def test_code_in_a_pickle_is_never_run(cifar, remedy, tmp_path):
    """Even if the checksum of the file was accepted as the right one."""
    trace, name = tmp_path / "trace", next(iter(cifar.members))
    members = {**_pickled(cifar), name: pickle.dumps({b"data": Intruder(trace)}, protocol=2)}
    complaint = rf", member {name} is not a batch of {cifar.title} \(it asks for (posix|nt)\.mkdir\){remedy}"
    with pytest.raises(DataError, match=rf"^{tmp_path}/{cifar.archive}{complaint}"):
        _load(_pack(cifar, tmp_path, members), tmp_path)
    with pytest.raises(DataError, match=rf"^{tmp_path}/files{complaint}"):
        _load(_unpack(cifar, tmp_path / "files", members), tmp_path / "files")
    assert not trace.exists()


@pytest.mark.parametrize(
    "name", ["builtins\neval", "os\nsystem", "numpy\nload", "numpy.core.multiarray\narray", "copyreg\n_reconstructor"]
)
def test_other_names_in_a_pickle_are_refused(tmp_path, name):
    members = {**_pickled(CIFAR10), "test_batch": b"\x80\x02c" + name.encode() + b"\n."}
    with pytest.raises(DataError, match=rf"member test_batch .*asks for {name.replace(chr(10), '.')}"):
        _load(_pack(CIFAR10, tmp_path, members), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda batch, labels: {b"data": batch[b"data"]},
        lambda batch, labels: {labels: batch[labels]},
        lambda batch, labels: {**batch, b"data": batch[b"data"][:, :-1]},
        lambda batch, labels: {**batch, labels: [b"cat", b"dog"]},
        lambda batch, labels: [1, 2],
    ],
)
def test_a_member_that_is_not_a_batch(cifar, remedy, tmp_path, change):
    name = next(iter(cifar.members))
    batch = change(_batches(cifar)[name], cifar.labels)
    members = {**_pickled(cifar), name: _pickle_as_python2(batch)}
    with pytest.raises(DataError, match=rf"{cifar.archive}, member {name} is not a batch of {cifar.title} .*{remedy}"):
        _load(_pack(cifar, tmp_path, members), tmp_path)


def test_a_truncated_pickle(cifar, remedy, tmp_path):
    members = _pickled(cifar)
    name = list(members)[-1]
    members[name] = members[name][:-100]
    with pytest.raises(DataError, match=rf"member {name} is not a batch of {cifar.title}.*{remedy}"):
        _load(_pack(cifar, tmp_path, members), tmp_path)


@pytest.mark.parametrize("kept", [0, 0.001, 0.1, 0.5, 0.9])
def test_truncated_archive(cifar, remedy, tmp_path, kept):
    right = _pack(cifar, tmp_path, _pickled(cifar))
    path = tmp_path / cifar.archive
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=rf"^{path} has SHA-256 .*{remedy}"):
        _load(right, tmp_path)
    # even if the damaged archive's checksum is given as the right one
    taken = replace(right, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match=rf"^{path} is truncated or damaged \(.*\){remedy}"):
        _load(taken, tmp_path)


@pytest.mark.parametrize("position", [0, -1])
def test_missing_member(cifar, remedy, tmp_path, position):
    members = _pickled(cifar)
    name = list(members)[position]
    described = _unpack(cifar, tmp_path / "files", members)
    (tmp_path / "files" / name).unlink()
    with pytest.raises(DataError, match=rf"^{tmp_path}/files/{name} does not exist{remedy}"):
        _load(described, tmp_path / "files")
    del members[name]
    with pytest.raises(DataError, match=rf"^{tmp_path}/{cifar.archive} lacks {cifar.folder}/{name}{remedy}"):
        _load(_pack(cifar, tmp_path, members), tmp_path)


def test_missing_archive(cifar, remedy, tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/{cifar.archive} does not exist{remedy}"):
        _load(cifar, tmp_path)


def test_missing_folder(cifar, remedy, tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/nowhere/{cifar.archive}: its folder does not exist{remedy}"):
        _load(cifar, tmp_path / "nowhere")


def test_impossible_folder(cifar, remedy, tmp_path):
    with pytest.raises(DataError, match=rf"{cifar.archive} cannot be read \(File name too long\){remedy}"):
        _load(cifar, tmp_path / ("x" * 300))


def test_the_expected_checksums_are_those_of_the_originals(cifar, tmp_path):
    _unpack(cifar, tmp_path, _pickled(cifar))
    first, md5 = next(iter(cifar.members.items()))
    with pytest.raises(DataError, match=rf"^{tmp_path}/{first} has MD5 .*, expected {md5}"):
        _load(cifar, tmp_path)
    _pack(cifar, tmp_path, _pickled(cifar))
    with pytest.raises(DataError, match=f"expected {TRUE_SHA256[cifar.source]}"):
        _load(cifar, tmp_path)
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in cifar.members.values())


def test_download_is_verified_and_kept(cifar, remedy, tmp_path):
    served = _pack(cifar, tmp_path / "served", _pickled(cifar))
    url, cache = (tmp_path / "served" / cifar.archive).as_uri(), tmp_path / "cache"
    data = _load(served, None, cache, url)
    _assert_is_what_was_written(cifar, data)
    assert data.origin == url
    assert [path.name for path in cache.iterdir()] == [cifar.archive]
    with pytest.raises(DataError, match=rf"^{url} has SHA-256 .*{remedy}"):
        _load(replace(served, sha256="0" * 64), None, tmp_path / "other", url)


def test_no_connection(cifar, remedy, tmp_path):
    with pytest.raises(DataError, match=rf"^{cifar.archive} cannot be downloaded .*: no connection .*{remedy}"):
        _load(cifar, None, tmp_path, "http://127.0.0.1:9/archive")
