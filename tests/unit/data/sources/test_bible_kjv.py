"""The King James Bible: synthetic files in the format of Debian's program, and the real text if it is installed."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from sharpest.config.sources import BIBLE_KJV as SOURCE
from sharpest.data.sources.tokens import BIBLE_FILE
from sharpest.data.sources.tokens import read_bible_kjv as load
from sharpest.errors import DataError

REMEDY = rf"; install Debian's bible-kjv 4\.38 and print its text: bible -f gen1:1-rev22:21 > data/{BIBLE_FILE}, with"
# one verse per chapter, each with its own word
CHAPTERS = [f"Ge{number}:1 The word of Jesse's sons: w{'x' * number}" for number in range(1, 41)]
PROGRAM = Path("/usr/bin/bible")


def _write(folder: Path, lines: list[str]) -> str:
    """Write a file; its SHA-256."""
    content = "".join(f"{line}\n" for line in lines).encode()
    (folder / BIBLE_FILE).write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _load(folder: Path | None, sha256: str = "0" * 64, url: str | None = None):
    return load(folder, url, Path("unused"), sha256=sha256)


def test_words_and_ends_of_verses_by_frequency(tmp_path):
    lines = ["Ge1:1 In the beginning, the END.", "Ge1:2 The kings' son's son--the_end ''quoted''"]
    data = _load(tmp_path, _write(tmp_path, lines))
    # "the" 4; "end" and the verse ends 2 each; then one each in alphabetical order; apostrophes only within words
    order = ["the", "<eos>", "end", "beginning", "in", "kings", "quoted", "son", "son's"]
    words = [order[number] for number in data.train]
    assert " ".join(words) == "in the beginning the end <eos> the kings son's son the end quoted <eos>"
    assert (len(data.val), len(data.test), data.num_types) == (0, 0, 9)
    assert data.origin == str(tmp_path / BIBLE_FILE)


def test_every_tenth_chapter_is_left_out_of_the_training_text(tmp_path):
    """Alternately for validation and for the test; their own words are unknown to the training text."""
    data = _load(tmp_path, _write(tmp_path, CHAPTERS))
    words_of_a_verse = 7
    counts = [len(text) // words_of_a_verse for text in (data.train, data.val, data.test)]
    assert counts == [36, 2, 2]
    assert data.num_types == 36 + 6 + 1  # a word of each chapter; the, word, of, jesse's, sons and the end; unknown
    assert data.val.tolist()[5::words_of_a_verse] == data.test.tolist()[5::words_of_a_verse] == [42, 42]


def test_chapters_of_one_number_in_two_books_are_two(tmp_path):
    lines = [line.replace("Ge", book) for book in ("1Sm", "2Sm") for line in CHAPTERS[:10]]
    data = _load(tmp_path, _write(tmp_path, lines))
    assert (len(data.train) // 7, len(data.val) // 7, len(data.test) // 7) == (18, 1, 1)


def test_another_version_is_refused(tmp_path):
    found = _write(tmp_path, CHAPTERS)
    with pytest.raises(DataError, match=rf"^{tmp_path}/{BIBLE_FILE} has SHA-256 {found}, expected 0{{64}}: .*{REMEDY}"):
        _load(tmp_path)
    with pytest.raises(DataError, match="expected cd45f0c9cedab8e4439bd6486c8952c77cc8b0ecc5d1f6ae3513f2039f47229d"):
        load(tmp_path, None, tmp_path)


@pytest.mark.parametrize("spoilt", ["", "In the beginning", "Ge1 In the beginning", "Ge1:1"])
def test_a_line_that_is_not_a_verse(tmp_path, spoilt):
    sha256 = _write(tmp_path, [*CHAPTERS, spoilt])
    with pytest.raises(DataError, match=rf"^{tmp_path}/{BIBLE_FILE}: 40 of 41 lines are a reference.*{REMEDY}"):
        _load(tmp_path, sha256)


def test_no_text(tmp_path):
    sha256 = _write(tmp_path, [*CHAPTERS, "Ge41:1 Hélas"])
    with pytest.raises(DataError, match=rf"^{tmp_path}/{BIBLE_FILE} is not a text file of verses.*{REMEDY}"):
        _load(tmp_path, sha256)
    with pytest.raises(DataError, match=rf"^{tmp_path}/{BIBLE_FILE}: 0 of 0 lines are a reference.*{REMEDY}"):
        _load(tmp_path, _write(tmp_path, []))


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/{BIBLE_FILE} does not exist{REMEDY}"):
        _load(tmp_path)
    with pytest.raises(DataError, match=rf"^{tmp_path}/nowhere/{BIBLE_FILE}: its folder does not exist{REMEDY}"):
        _load(tmp_path / "nowhere")
    with pytest.raises(DataError, match=rf"^{BIBLE_FILE}: no folder is configured{REMEDY}"):
        _load(None)


def test_a_custom_address(tmp_path):
    sha256 = _write(tmp_path, CHAPTERS)
    url = (tmp_path / BIBLE_FILE).as_uri()
    data = load(None, url, tmp_path / "cache", sha256=sha256)
    assert data.origin == url
    assert data.sha256 == _load(tmp_path, sha256).sha256


@pytest.mark.skipif(not PROGRAM.exists(), reason="no program bible: install Debian's bible-kjv")
def test_the_real_text(tmp_path):
    with open(tmp_path / BIBLE_FILE, "wb") as file:
        subprocess.run([PROGRAM, "-f", "gen1:1-rev22:21"], stdout=file, check=True, timeout=60)
    data = load(tmp_path, None, tmp_path)
    data.check(SOURCE)
    assert len((tmp_path / BIBLE_FILE).read_text().splitlines()) == 31_102
    parts = (data.train, data.val, data.test)
    assert sum(map(len, parts)) == 820_786
    text = (tmp_path / BIBLE_FILE).read_text().lower()
    words = {word for line in text.splitlines() for word in re.findall("[a-z]+(?:'[a-z]+)*", line.split(" ", 1)[1])}
    assert len(words | {"<eos>"}) == 12_763
    # words missing from training share one type; they are few, so nearly every other type has its own number
    assert data.num_types == SOURCE.num_types
    assert max((part == data.num_types - 1).mean() for part in parts[1:]) < 0.01
    # the ids of the most frequent tenth of the vocabulary cover almost everything
    assert (data.train < 9_999).mean() > 0.995
