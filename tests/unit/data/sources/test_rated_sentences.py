"""Rated sentences: synthetic archives in the format of vaderSentiment's, and the real one if present."""

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sharpest.config.sources import RATED_SENTENCES as SOURCE
from sharpest.data.sources import reviews
from sharpest.data.sources.reviews import PACKAGE, SDIST_FILE, SDIST_URL
from sharpest.data.sources.reviews import read_rated_sentences as load
from sharpest.errors import DataError

REMEDY = (
    rf"; get {SDIST_FILE}: pip download --no-deps --no-binary :all: --dest data vaderSentiment==3\.3\.2, with "
    r"sources\.rated-sentences\.folder set to that folder"
)
ARCHIVE = f"{PACKAGE}/additional_resources/hutto_ICWSM_2014.tar.gz"
MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
# positive ones first, as in the original file
ROWS = [f"{i}\t{rating}\tIt's {word}, it's quite {word}" for i, (rating, word) in enumerate(
    [("2.26666666667", "good")] * 6 + [("0.0", "odd")] * 3 + [("-3.5", "bad")] * 6, start=1
)]  # fmt: skip
DEFAULT = "\r\n".join(ROWS).encode()


def _tar(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def _write(folder: Path, sentences: bytes = DEFAULT, archive: str = ARCHIVE, member: str = MEMBER) -> dict[str, str]:
    """Write a source distribution; its checksums."""
    content = _tar(archive, _tar(member, sentences))
    (folder / SDIST_FILE).write_bytes(content)
    return {"sha256": _sha256(content), "sentences_sha256": _sha256(sentences)}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def _short_test_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "RATED_SENTENCES", replace(SOURCE, num_train=9, num_test=3))


def _load(folder: Path | None, **checksums: str):
    return load(folder, None, Path("unused"), **({"sha256": "0" * 64} | checksums))


def test_signs_give_the_classes_and_zeros_are_dropped(tmp_path):
    data = _load(tmp_path, **_write(tmp_path))
    assert (len(data.train_targets), len(data.test_targets)) == (9, 3)
    targets = np.concatenate([data.train_targets, data.test_targets])
    assert np.bincount(targets).tolist() == [6, 6]
    assert targets.tolist() != sorted(targets, reverse=True)  # shuffled
    # it's twice per review, then the word of the larger class, quite once per review, and the word of the smaller class
    good = int(data.train_targets.sum())
    order = ["it's", "good", "quite", "bad"] if good >= 5 else ["it's", "bad", "quite", "good"]
    number = {word: 4 + rank for rank, word in enumerate(order)}
    reviews = [data.train_tokens[start : start + 6].tolist() for start in data.train_offsets[:-1]]
    for review, target in zip(reviews, data.train_targets, strict=True):
        word = number["good" if target else "bad"]
        assert review == [1, number["it's"], word, number["it's"], number["quite"], word]
    assert data.train_offsets.tolist() == list(range(0, 55, 6))
    assert (data.train_tokens.dtype, data.train_offsets.dtype) == (np.int32, np.int64)


def test_a_word_only_in_the_test_set_is_unknown(tmp_path):
    rows = [row.replace("quite", f"so{'o' * i}") for i, row in enumerate(ROWS)]
    data = _load(tmp_path, **_write(tmp_path, "\r\n".join(rows).encode()))
    assert (data.train_tokens == 2).sum() == 0
    assert (data.test_tokens == 2).sum() == 3  # one per review
    assert data.test_tokens.max() <= data.train_tokens.max()


def test_another_version_is_refused_before_anything_is_unpacked(tmp_path, monkeypatch):
    found = _write(tmp_path)["sha256"]

    def must_not_be_called(*_: object) -> None:
        raise AssertionError("opened before its checksum was found right")

    monkeypatch.setattr(reviews, "read_members", must_not_be_called)
    with pytest.raises(DataError, match=rf"^{tmp_path}/{SDIST_FILE} has SHA-256 {found}, expected 0{{64}}: .*{REMEDY}"):
        _load(tmp_path)
    with pytest.raises(DataError, match="expected 5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"):
        load(tmp_path, None, tmp_path)


def test_other_sentences_are_refused(tmp_path):
    right = _write(tmp_path)
    with pytest.raises(DataError, match=rf"member {MEMBER} has SHA-256 .*, expected c8293b0d9.*{REMEDY}"):
        _load(tmp_path, sha256=right["sha256"])


@pytest.mark.parametrize(("key", "lacking"), [("archive", ARCHIVE), ("member", MEMBER)])
def test_missing_member(tmp_path, key, lacking):
    with pytest.raises(DataError, match=rf"^{tmp_path}/{SDIST_FILE}.* lacks {lacking}{REMEDY}"):
        _load(tmp_path, **_write(tmp_path, **{key: "other"}))


def test_a_file_that_is_not_an_archive(tmp_path):
    content = gzip.compress(b"no archive")
    (tmp_path / SDIST_FILE).write_bytes(content)
    with pytest.raises(DataError, match=rf"^{tmp_path}/{SDIST_FILE} is truncated or damaged .*{REMEDY}"):
        _load(tmp_path, sha256=_sha256(content))


@pytest.mark.parametrize("spoilt", [b"", b"16\tgood\tIt's good", b"16\t1.5", b"16\t1.5\t"])
def test_a_line_that_is_not_a_rating(tmp_path, spoilt):
    with pytest.raises(DataError, match=rf"15 of 16 lines consist of number, rating and sentence{REMEDY}"):
        _load(tmp_path, **_write(tmp_path, DEFAULT + b"\r\n" + spoilt))


def test_no_text(tmp_path):
    with pytest.raises(DataError, match=rf"{MEMBER} is not a text file .*{REMEDY}"):
        _load(tmp_path, **_write(tmp_path, DEFAULT + b"\xff"))


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/{SDIST_FILE} does not exist{REMEDY}"):
        _load(tmp_path)
    with pytest.raises(DataError, match=rf"^{tmp_path}/nowhere/{SDIST_FILE}: its folder does not exist{REMEDY}"):
        _load(tmp_path / "nowhere")


def test_no_connection(tmp_path):
    with pytest.raises(DataError, match=rf"^{SDIST_FILE} cannot be downloaded .*: no connection .*{REMEDY}"):
        load(None, "http://127.0.0.1:9/file", tmp_path)
    assert SDIST_URL.endswith(SDIST_FILE)


TRUE_FOLDER = Path(__file__).parents[4] / "data"


@pytest.mark.skipif(
    not (TRUE_FOLDER / SDIST_FILE).exists(),
    reason=f"no {TRUE_FOLDER / SDIST_FILE}: pip download --no-deps --no-binary :all: --dest data vaderSentiment==3.3.2",
)
def test_the_real_sentences(monkeypatch):
    monkeypatch.setattr(reviews, "RATED_SENTENCES", SOURCE)
    data = load(TRUE_FOLDER, None, TRUE_FOLDER)
    data.check(SOURCE)
    # 10,605 rows, 37 of them rated zero
    targets = np.concatenate([data.train_targets, data.test_targets])
    assert np.bincount(targets).tolist() == [5_326, 5_242]
    lengths = np.concatenate([np.diff(data.train_offsets), np.diff(data.test_offsets)]) - 1
    assert (np.median(lengths), lengths.max()) == (18, 51)
    # both parts have the same class shares, and 4,996 words cover 89 per cent
    assert abs(data.train_targets.mean() - data.test_targets.mean()) < 0.03
    words = data.train_tokens[data.train_tokens != 1]
    assert (words < 5_000).mean() == pytest.approx(0.89, abs=0.01)
