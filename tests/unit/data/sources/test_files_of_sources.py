"""Every source that reads files: a tiny set of files in its format, read back, and damaged in every way."""

import gzip
import hashlib
import io
import os
import pickle
import re
import struct
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sharpest.config.sources import BIBLE_KJV
from sharpest.data.sources import files, images, reviews, tokens
from sharpest.data.sources.decoded import Decoded
from sharpest.errors import DataError

NO_SERVER = "http://127.0.0.1:9/file"  # the discard port, on which nothing listens


class Intruder:
    """Creates a folder when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.trace),)


def tar_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def npz_of(arrays: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def pickled_by_python2(value: object) -> bytes:
    """Protocol 2 as written by Python 2: texts are byte strings, and numpy's function is in numpy.core."""

    def save_text(pickler: Any, text: Any) -> None:
        encoded = text if isinstance(text, bytes) else text.encode("latin1")
        pickler.write(pickle.BINSTRING + struct.pack("<i", len(encoded)) + encoded)

    class Pickler(pickle._Pickler):
        dispatch = {**pickle._Pickler.dispatch, bytes: save_text, str: save_text}  # noqa: RUF012

    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(value)
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def rows_of(batch: int) -> np.ndarray:
    return np.random.default_rng(batch).integers(0, 256, (2, 3072), dtype=np.uint8)


def batches(cifar: images.Cifar) -> dict[str, dict[bytes, object]]:
    """Besides the classes that are read, CIFAR-100 has coarse ones."""
    return {
        name: {b"filenames": [b"a.png", b"b.png"], b"coarse_labels": [19, 18], cifar.labels: [i, 9 - i],
               b"data": rows_of(i)}
        for i, name in enumerate(cifar.members)
    }  # fmt: skip


def cifar_archive(cifar: images.Cifar, changes: dict[str, bytes] | None = None, pickle_as: Any = None) -> bytes:
    """In the original archive the batches are out of order, too."""
    pickled = {name: (pickle_as or pickled_by_python2)(batch) for name, batch in batches(cifar).items()}
    members = pickled | (changes or {})
    packed = {f"{cifar.folder}/{name}": content for name, content in reversed(members.items())}
    return tar_of({f"{cifar.folder}/meta": b"", **packed})


def read_cifar(cifar: images.Cifar, folder: Path | None, url: str | None, cache: Path, sha256: str) -> Any:
    return images.load_cifar(replace(cifar, sha256=sha256), folder, url, cache)


def cifar_arrays(cifar: images.Cifar) -> list[list[Any]]:
    *train, test = range(len(cifar.members))
    pixels = [np.concatenate(list(map(rows_of, part))).reshape(-1, 3, 32, 32).tolist() for part in (train, [test])]
    return [pixels[0], [label for i in train for label in (i, 9 - i)], pixels[1], [test, 9 - test]]


# lines begin and end with a blank, as in the original files; the: 3, <eos>: 2, then <unk>, N, fell, n't, rose
PTB = dict(zip(tokens.PTB_FILES, (b" the <unk> rose \n the N n't fell the \n", b" N rose \n", b" fell \n the \n"),
               strict=True))  # fmt: skip
PTB_WORDS = [[0, 2, 6, 1, 0, 3, 5, 4, 0, 1], [3, 6, 1], [4, 1, 0, 1]]
BIBLE = b"Ge1:1 In the beginning, the END.\nGe1:2 The kings' son's son--the_end ''quoted''\n"
# the: 4, end and verse ends: 2, then in alphabetical order; apostrophes only within words
BIBLE_NUMBERS = [4, 0, 3, 0, 2, 1, 0, 5, 8, 7, 0, 2, 6, 1]
"""in the beginning the end <eos> the kings son's son the end quoted <eos>"""


def lists(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


IMDB = {"x_train": lists([[1, 20, 88_583], [7], [2, 2]]), "y_train": np.array([1, 0, 1]),
        "x_test": lists([[5, 6], [1]]), "y_test": np.array([0, 1])}  # fmt: skip
# start token 1, then each word's number plus three, in the order of the file
IMDB_ARRAYS = [[1, 4, 23, 88_586, 1, 10, 1, 5, 5], [0, 4, 6, 9], [1, 0, 1], [1, 8, 9, 1, 4], [0, 3, 5], [0, 1]]
# positive ones first, as in the original file
RATED = [
    f"{i}\t{rating}\tIt's {word}, it's quite {word}"
    for i, (rating, word) in enumerate([("2.2", "good")] * 6 + [("0.0", "odd")] * 3 + [("-3.5", "bad")] * 6, start=1)
]
SENTENCES = "\r\n".join(RATED).encode()


def sdist(sentences: bytes = SENTENCES, archive: str = reviews._ARCHIVE, member: str = reviews._MEMBER) -> bytes:
    return tar_of({archive: tar_of({member: sentences})})


def read_rated(folder: Path | None, url: str | None, cache: Path, sha256: str, sentences: bytes = SENTENCES) -> Any:
    return reviews.read_rated_sentences(folder, url, cache, sha256, hashlib.sha256(sentences).hexdigest())


@dataclass(frozen=True)
class Format:
    """The one file of a source.

    Attributes:
        file: Its name.
        content: A tiny file.
        read: Reads it, with the checksum to expect.
        digest: The checksum of the original.
        remedy: The end of each message.
        arrays: What is read, or None.
        spoilt: Other contents, with the beginning of the message after the file's name.
    """

    file: str
    content: bytes
    read: Callable[..., Decoded[Any]]
    digest: str
    remedy: str
    arrays: list[Any] | None
    spoilt: list[tuple[bytes, str]]


def cifar_format(cifar: images.Cifar) -> Format:
    first, *_, last = cifar.members
    batch = batches(cifar)[first]
    wrong: list[Any] = [[1, 2], {b"data": batch[b"data"]}, {cifar.labels: batch[cifar.labels]}]
    wrong += [{**batch, cifar.labels: [b"cat", b"dog"]}, {**batch, b"data": batch[b"data"][:, :-1]}]
    no_batch = f", member {last} is not a batch of {cifar.title} ("
    spoilt = [(cifar_archive(cifar, {last: pickled_by_python2(each)}), no_batch) for each in wrong]
    spoilt.append((cifar_archive(cifar, {last: pickled_by_python2(batch)[:-100]}), no_batch))
    asked = "builtins.eval", "os.system", "numpy.load", "numpy.core.multiarray.array", "copyreg._reconstructor"
    for module, _, name in (each.rpartition(".") for each in asked):
        hostile = b"\x80\x02c" + f"{module}\n{name}\n.".encode()
        spoilt.append((cifar_archive(cifar, {last: hostile}), f"{no_batch}it asks for {module}.{name})"))
    packed = {f"{cifar.folder}/{name}": b"" for name in list(cifar.members)[1:]}
    spoilt.append((tar_of(packed), f" lacks {cifar.folder}/{first}"))
    remedy = f"get {cifar.archive} again, e.g. from {cifar.url}, and set sources.{cifar.source}.folder in config"
    read = partial(read_cifar, cifar)
    return Format(cifar.archive, cifar_archive(cifar), read, cifar.sha256, remedy, cifar_arrays(cifar), spoilt)


def spoilt_imdb(**changes: Any) -> tuple[bytes, str]:
    arrays = {name: array for name, array in (IMDB | changes).items() if array is not None}
    return npz_of(arrays), " does not hold the IMDB reviews ("


FORMATS = {
    "cifar-10": cifar_format(images.CIFAR10),
    "cifar-100": cifar_format(images.CIFAR100),
    "ptb": Format(
        tokens.PTB_ARCHIVE,
        # the original archive holds other texts too, and its paths begin with ./
        tar_of({"./simple-examples/README": b"read", **{f"./simple-examples/data/{n}": c for n, c in PTB.items()}}),
        tokens.read_ptb,
        "30177ea32e27c525793142b6bf2c8e2d",
        "set sources.ptb.folder in config/config.yaml to a folder with simple-examples.tgz, e.g. from http",
        PTB_WORDS,
        [
            (tar_of({f"simple-examples/data/{name}": PTB[name] for name in tokens.PTB_FILES[:2]}),
             " lacks simple-examples/data/ptb.test.txt"),
            (tar_of({f"simple-examples/data/{name}": b"\xff\xfe\x00" for name in PTB}),
             ", member simple-examples/data/ptb.train.txt is not a text file ("),
        ],
    ),
    "bible-kjv": Format(
        tokens.BIBLE_FILE,
        BIBLE,
        tokens.read_bible_kjv,
        "cd45f0c9cedab8e4439bd6486c8952c77cc8b0ecc5d1f6ae3513f2039f47229d",
        "install Debian's bible-kjv 4.38 and print its text: bible -f gen1:1-rev22:21 > data/bible-kjv.txt, with",
        [BIBLE_NUMBERS, [], []],
        [
            *((BIBLE + line + b"\n", ": 2 of 3 lines are a reference and a verse")
              for line in (b"", b"In the beginning", b"Ge1 In the beginning", b"Ge1:1")),
            (BIBLE + "Ge41:1 Hélas".encode(), " is not a text file of verses ("),
            (b"", ": 0 of 0 lines are a reference and a verse"),
        ],
    ),
    "imdb": Format(
        reviews.IMDB_FILE,
        npz_of(IMDB),
        reviews.read_imdb,
        "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
        f"get imdb.npz again, e.g. from {reviews.IMDB_URL}, and set sources.imdb.folder in config/config.yaml to",
        IMDB_ARRAYS,
        [
            *(spoilt_imdb(**{name: None}) for name in IMDB),
            spoilt_imdb(x_train=lists([["good", "bad"]])),
            spoilt_imdb(x_test=np.arange(3)),
            spoilt_imdb(x_test=lists([[2**31]])),
            spoilt_imdb(x_train=lists([])),
            spoilt_imdb(y_test=np.array(["good", "bad"])),
            *((npz_of(IMDB)[:length], " does not hold the IMDB reviews (") for length in (0, 100, 700)),
        ],
    ),
    "rated-sentences": Format(
        reviews.SDIST_FILE,
        sdist(),
        read_rated,
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        f"get {reviews.SDIST_FILE}: pip download --no-deps --no-binary :all: --dest data vaderSentiment==3.3.2, with",
        None,
        [
            (sdist(archive="other"), f" lacks {reviews._ARCHIVE}"),
            (sdist(member="other"), f", member {reviews._ARCHIVE} lacks {reviews._MEMBER}"),
            (gzip.compress(b"no archive"), " is truncated or damaged ("),
            (sdist(SENTENCES[:-1]), f", member {reviews._ARCHIVE}, member {reviews._MEMBER} has SHA-256 "),
        ],
    ),
}  # fmt: skip


@pytest.fixture(params=FORMATS)
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Format:
    monkeypatch.setattr(reviews, "RATED_SENTENCES", replace(reviews.RATED_SENTENCES, num_train=9, num_test=3))
    return FORMATS[request.param]


def digest_of(source: Format, content: bytes) -> str:
    return hashlib.new("md5" if len(source.digest) == 32 else "sha256", content).hexdigest()


def put(source: Format, folder: Path, content: bytes | None = None) -> str:
    """Write the file; its checksum."""
    folder.mkdir(exist_ok=True)
    content = source.content if content is None else content
    (folder / source.file).write_bytes(content)
    return digest_of(source, content)


def refusal(source: Format, *arguments: Any) -> str:
    with pytest.raises(DataError) as caught:
        source.read(*arguments)
    message = str(caught.value)
    assert f"; {source.remedy}" in message
    return message


def test_a_file_is_read(source: Format, tmp_path: Path) -> None:
    data = source.read(tmp_path, None, tmp_path, put(source, tmp_path))
    assert data.origin == str(tmp_path / source.file)
    if source.arrays is not None:
        assert [array.tolist() for array in data.arrays.values()] == source.arrays
    kinds = {"inputs": "u1", "targets": "i8", "offsets": "i8"}
    for name, array in data.arrays.items():
        assert array.dtype == np.dtype(kinds.get(name.rpartition("_")[2], "i4")), name


def test_a_download_is_verified_and_kept(source: Format, tmp_path: Path) -> None:
    digest, cache = put(source, tmp_path / "served"), tmp_path / "cache"
    url = (tmp_path / "served" / source.file).as_uri()
    data = source.read(None, url, cache, digest)
    assert data.origin == url
    assert data.sha256 == source.read(tmp_path / "served", None, cache, digest).sha256
    assert [path.name for path in cache.iterdir()] == [source.file]
    assert refusal(source, None, url, tmp_path / "other", "0" * len(digest)).startswith(f"{url} has ")
    assert source.read(None, NO_SERVER, cache, digest).sha256 == data.sha256
    (cache / source.file).write_bytes(source.content[:3])
    for wrong in (NO_SERVER, "no address", "file:///nowhere/file"):
        message = refusal(source, None, wrong, cache, digest)
        assert re.match(rf"{source.file} cannot be downloaded from {wrong} .*: no connection or wrong address", message)
    assert source.read(None, url, cache, digest).sha256 == data.sha256
    assert (cache / source.file).read_bytes() == source.content
    with pytest.raises(DataError, match=rf"{url[7:]}/in/{source.file}: cannot be written .*; free space or correct"):
        source.read(None, url, tmp_path / "served" / source.file / "in", digest)


def test_a_wrong_file_is_refused_before_it_is_opened(source: Format, tmp_path: Path, monkeypatch: Any) -> None:
    put(source, tmp_path)

    def must_not_be_called(*_: Any, **__: Any) -> None:
        raise AssertionError("opened before its checksum was found right")

    for module, name in ((files.tarfile, "open"), (np, "load"), (images, "_BatchUnpickler"), (tokens, "_verses")):
        monkeypatch.setattr(module, name, must_not_be_called)
    found = digest_of(source, source.content)
    message = refusal(source, tmp_path, None, tmp_path, source.digest)
    algorithm = "MD5" if len(found) == 32 else "SHA-256"
    assert message.startswith(f"{tmp_path / source.file} has {algorithm} {found}, expected {source.digest}: damaged or")


def test_the_checksum_of_the_original_is_expected(source: Format, tmp_path: Path) -> None:
    put(source, tmp_path)
    cifars = {cifar.archive: partial(images.load_cifar, cifar) for cifar in (images.CIFAR10, images.CIFAR100)}
    shipped = {**cifars, reviews.SDIST_FILE: reviews.read_rated_sentences}.get(source.file, source.read)
    with pytest.raises(DataError, match=f"expected {source.digest}"):
        shipped(tmp_path, None, tmp_path)


def test_a_missing_file_or_folder(source: Format, tmp_path: Path) -> None:
    path = tmp_path / source.file
    assert refusal(source, tmp_path, None, tmp_path, source.digest).startswith(f"{path} does not exist; ")
    path = tmp_path / "nowhere" / source.file
    assert refusal(source, path.parent, None, tmp_path, "").startswith(f"{path}: its folder does not exist; ")
    (tmp_path / "folder" / source.file).mkdir(parents=True)
    assert " cannot be read (Is a directory); " in refusal(source, tmp_path / "folder", None, tmp_path, "")
    path = tmp_path / ("x" * 300) / source.file
    assert refusal(source, path.parent, None, tmp_path, "").startswith(f"{path} cannot be read (File name too long); ")


def test_other_content_is_refused(source: Format, tmp_path: Path) -> None:
    """Even if its checksum was accepted as the right one."""
    for content, problem in source.spoilt:
        digest = put(source, tmp_path, content)
        message = refusal(source, tmp_path, None, tmp_path, digest)
        assert message.startswith(f"{tmp_path / source.file}{problem}"), (message, problem)
    if source.file.endswith(("gz", "tgz")):
        for length in (0, 20, len(source.content) // 2):
            digest = put(source, tmp_path, source.content[:length])
            message = refusal(source, tmp_path, None, tmp_path, digest)
            assert message.startswith(f"{tmp_path / source.file} is truncated or damaged ("), length


# --- what only one source has


@pytest.fixture(params=[images.CIFAR10, images.CIFAR100], ids=lambda cifar: cifar.source)
def cifar(request: pytest.FixtureRequest) -> images.Cifar:
    return request.param


def unpack(cifar: images.Cifar, folder: Path, changes: dict[str, bytes] | None = None) -> images.Cifar:
    """Write the unpacked files of an archive, and return their description."""
    folder.mkdir(exist_ok=True)
    members = {name: pickled_by_python2(batch) for name, batch in batches(cifar).items()} | (changes or {})
    for name, content in members.items():
        (folder / name).write_bytes(content)
    return replace(cifar, members={name: hashlib.md5(members[name]).hexdigest() for name in cifar.members})


@pytest.mark.parametrize("inside", [True, False])
def test_unpacked_batches(cifar: images.Cifar, tmp_path: Path, inside: bool) -> None:
    """The configured folder is the one above the files, or their own, under any name; an archive comes first."""
    unpacked = tmp_path / (cifar.folder if inside else "elsewhere")
    described = unpack(cifar, unpacked)
    data = images.load_cifar(described, tmp_path if inside else unpacked, None, tmp_path)
    assert [array.tolist() for array in data.arrays.values()] == cifar_arrays(cifar)
    assert data.origin == str(unpacked)
    with pytest.raises(DataError, match=rf"^{unpacked}/{next(iter(cifar.members))} has MD5 .*, expected "):
        images.load_cifar(cifar, unpacked, None, tmp_path)
    last = list(cifar.members)[-1]
    (unpacked / last).unlink()
    with pytest.raises(DataError, match=rf"^{unpacked}/{last} does not exist; get {cifar.archive} again"):
        images.load_cifar(described, unpacked, None, tmp_path)
    digest = put(FORMATS[cifar.source], tmp_path)
    assert FORMATS[cifar.source].read(tmp_path, None, tmp_path, digest).origin == str(tmp_path / cifar.archive)


def test_batches_of_python3_and_the_order_of_planes(cifar: images.Cifar, tmp_path: Path) -> None:
    row = np.zeros(3072, np.uint8)
    row[1024 + 2 * 32 + 5] = 7  # green, third row, sixth column
    first = next(iter(cifar.members))
    changed = pickle.dumps({**batches(cifar)[first], b"data": np.stack([row, row])}, protocol=2)
    content = cifar_archive(cifar, {first: changed}, partial(pickle.dumps, protocol=2))
    data = FORMATS[cifar.source].read(tmp_path, None, tmp_path, put(FORMATS[cifar.source], tmp_path, content))
    assert data.train_inputs.shape == ((len(cifar.members) - 1) * 2, 3, 32, 32)
    assert np.argwhere(data.train_inputs[0]).tolist() == [[1, 2, 5]]
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in pickled_by_python2(batches(cifar)[first])


def test_code_in_a_batch_is_never_run(cifar: images.Cifar, tmp_path: Path) -> None:
    """Even if the checksum of the file was accepted as the right one."""
    trace, name = tmp_path / "trace", next(iter(cifar.members))
    hostile = {name: pickle.dumps({b"data": Intruder(trace)}, protocol=2)}
    complaint = rf", member {name} is not a batch of {cifar.title} \(it asks for (posix|nt)\.mkdir\)"
    packed = FORMATS[cifar.source]
    with pytest.raises(DataError, match=complaint):
        packed.read(tmp_path, None, tmp_path, put(packed, tmp_path, cifar_archive(cifar, hostile)))
    with pytest.raises(DataError, match=complaint):
        images.load_cifar(unpack(cifar, tmp_path / "files", hostile), tmp_path / "files", None, tmp_path)
    assert not trace.exists()
    pickle.loads(hostile[name])
    assert trace.exists()


@pytest.mark.parametrize("inside", ["", "data", "simple-examples/data"])
def test_unpacked_texts_of_the_penn_treebank(tmp_path: Path, inside: str) -> None:
    """They come before the archive; line ends of Windows change nothing."""
    put(FORMATS["ptb"], tmp_path)
    for end in (b"\n", b"\r\n"):
        (tmp_path / inside).mkdir(parents=True, exist_ok=True)
        for name, content in PTB.items():
            (tmp_path / inside / name).write_bytes(content.replace(b"\n", end))
        data = tokens.read_ptb(tmp_path, None, tmp_path)
        assert [array.tolist() for array in data.arrays.values()] == PTB_WORDS
        assert (data.num_types, data.origin) == (7, str(tmp_path / inside / "ptb.{train,valid,test}.txt"))
    (tmp_path / inside / tokens.PTB_FILES[1]).unlink()
    with pytest.raises(DataError, match=rf"^{tmp_path / inside / 'ptb.valid.txt'} does not exist; set sources\.ptb"):
        tokens.read_ptb(tmp_path, None, tmp_path)


def bible(folder: Path, lines: list[str]) -> Decoded[Any]:
    content = "".join(f"{line}\n" for line in lines).encode()
    return tokens.read_bible_kjv(folder, None, folder, put(FORMATS["bible-kjv"], folder, content))


CHAPTERS = [f"Ge{number}:1 The word of Jesse's sons: w{'x' * number}" for number in range(1, 41)]


def test_every_tenth_chapter_is_left_out_of_the_training_text(tmp_path: Path) -> None:
    """Alternately for validation and for the test; their own words are unknown to the training text."""
    data, words = bible(tmp_path, CHAPTERS), 7
    assert [len(text) // words for text in data.arrays.values()] == [36, 2, 2]
    assert data.num_types == 36 + 6 + 1  # a word of each chapter; the, word, of, jesse's, sons and the end; unknown
    assert data.val.tolist()[5::words] == data.test.tolist()[5::words] == [42, 42]
    # chapters of one number in two books are two
    data = bible(tmp_path, [line.replace("Ge", book) for book in ("1Sm", "2Sm") for line in CHAPTERS[:10]])
    assert [len(text) // words for text in data.arrays.values()] == [18, 1, 1]
    with pytest.raises(DataError, match=r"^bible-kjv\.txt: no folder is configured; install Debian's bible-kjv"):
        tokens.read_bible_kjv(None, None, tmp_path)


def test_arrays_of_objects_in_a_users_file_are_not_unpickled(tmp_path: Path) -> None:
    """Those of IMDB only behind their checksum."""
    trace, path = tmp_path / "trace", tmp_path / images.OWN_FILE
    np.savez(path, **dict.fromkeys(images._OWN_ARRAYS, np.array([Intruder(trace)], dtype=object)))
    with pytest.raises(DataError, match=r"own-images\.npz cannot be read \(Object arrays cannot be loaded"):
        images.read_own_images(tmp_path, None, tmp_path)
    assert not trace.exists()
    with np.load(path, allow_pickle=True) as file:
        file["train_inputs"]  # unpickling the intruder does create the folder
    assert trace.exists()


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../outside", tarfile.REGTYPE, ""),
        ("/tmp/outside", tarfile.REGTYPE, ""),
        ("set/../../outside", tarfile.REGTYPE, ""),
        ("set/batch", tarfile.SYMTYPE, "/etc/passwd"),
        ("set/batch", tarfile.SYMTYPE, "../../../etc/passwd"),
        ("set/batch", tarfile.LNKTYPE, "/etc/passwd"),
        ("set/batch", tarfile.CHRTYPE, ""),
        ("set", tarfile.SYMTYPE, "/"),
    ],
)
def test_an_archive_writes_nothing_and_reads_nothing_outside(
    name: str, kind: bytes, link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only regular files are read, into memory; links are not followed."""
    content, intruder = io.BytesIO(), tarfile.TarInfo(name)
    intruder.type, intruder.linkname = kind, link
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        intruder.size = 4 if intruder.isreg() else 0
        tar.addfile(intruder, io.BytesIO(b"evil"))
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(DataError, match=r"archive\.tar\.gz lacks set/batch; get it again"):
        files.read_members(content.getvalue(), ["set/batch"], "archive.tar.gz", "get it again")
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]
    assert not Path("/tmp/outside").exists()


@pytest.fixture
def rated(source: Format, tmp_path: Path) -> Callable[[bytes], Any]:
    """Sentences, read from a source distribution."""
    return lambda sentences: read_rated(tmp_path, None, tmp_path, put(source, tmp_path, sdist(sentences)), sentences)


@pytest.mark.parametrize("source", ["rated-sentences"], indirect=True)
def test_signs_give_the_classes_and_zeros_are_dropped(rated: Callable[[bytes], Any]) -> None:
    data = rated(SENTENCES)
    targets = np.concatenate([data.train_targets, data.test_targets])
    assert (len(data.train_targets), np.bincount(targets).tolist()) == (9, [6, 6])
    assert targets.tolist() != sorted(targets, reverse=True)  # shuffled
    # it's twice per review, then the word of the larger class, quite once per review, and the word of the smaller class
    order = ["it's", "good", "quite", "bad"] if data.train_targets.sum() >= 5 else ["it's", "bad", "quite", "good"]
    number = {word: 4 + rank for rank, word in enumerate(order)}
    for review, target in zip(data.train_tokens.reshape(-1, 6).tolist(), data.train_targets, strict=True):
        word = number["good" if target else "bad"]
        assert review == [1, number["it's"], word, number["it's"], number["quite"], word]
    assert data.train_offsets.tolist() == list(range(0, 55, 6))
    # a word only in the test set is unknown
    data = rated("\r\n".join(row.replace("quite", f"so{'o' * i}") for i, row in enumerate(RATED)).encode())
    assert [(part == 2).sum() for part in (data.train_tokens, data.test_tokens)] == [0, 3]
    for spoilt in (b"", b"16\tgood\tIt's good", b"16\t1.5", b"16\t1.5\t"):
        with pytest.raises(DataError, match=r"15 of 16 lines consist of number, rating and sentence; get vader"):
            rated(SENTENCES + b"\r\n" + spoilt)
    with pytest.raises(DataError, match=rf"{reviews._MEMBER} is not a text file .*; get vader"):
        rated(SENTENCES + b"\xff")


def test_classes_of_imdb_may_be_objects(tmp_path: Path) -> None:
    changed = {name: array.astype(object) for name, array in IMDB.items()}
    data = reviews.read_imdb(tmp_path, None, tmp_path, put(FORMATS["imdb"], tmp_path, npz_of(changed)))
    assert [array.tolist() for array in data.arrays.values()] == IMDB_ARRAYS


TRUE_FOLDER = Path(__file__).parents[4] / "data"


@pytest.mark.skipif(not (TRUE_FOLDER / reviews.SDIST_FILE).exists(), reason=FORMATS["rated-sentences"].remedy)
def test_the_real_sentences() -> None:
    data = reviews.read_rated_sentences(TRUE_FOLDER, None, TRUE_FOLDER)
    data.check(reviews.RATED_SENTENCES)
    # 10,605 rows, 37 of them rated zero
    targets = np.concatenate([data.train_targets, data.test_targets])
    assert np.bincount(targets).tolist() == [5_326, 5_242]
    # both parts have the same class shares, and 4,996 words cover 89 per cent
    assert abs(data.train_targets.mean() - data.test_targets.mean()) < 0.03
    words = data.train_tokens[data.train_tokens != 1]
    assert (words < 5_000).mean() == pytest.approx(0.89, abs=0.01)


PROGRAM = Path("/usr/bin/bible")


@pytest.mark.skipif(not PROGRAM.exists(), reason="no program bible: install Debian's bible-kjv")
def test_the_real_bible(tmp_path: Path) -> None:
    with open(tmp_path / tokens.BIBLE_FILE, "wb") as file:
        subprocess.run([PROGRAM, "-f", "gen1:1-rev22:21"], stdout=file, check=True, timeout=60)
    data = tokens.read_bible_kjv(tmp_path, None, tmp_path)
    data.check(BIBLE_KJV)
    assert sum(map(len, data.arrays.values())) == 820_786
    # few words are missing from training, and the most frequent tenth of the vocabulary covers almost everything
    assert max((part == data.num_types - 1).mean() for part in (data.val, data.test)) < 0.01
    assert (data.train < 9_999).mean() > 0.995
