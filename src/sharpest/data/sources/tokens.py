"""Texts: the Penn Treebank, the King James Bible, the reference of Python."""

from __future__ import annotations

import platform
import re
from itertools import groupby
from pathlib import Path

from sharpest.config.sources import PYTHON_TOPICS
from sharpest.data.sources.decoded import DecodedTokens, number_words
from sharpest.data.sources.files import folder_with, read_file, read_members, read_or_fetch
from sharpest.errors import DataError

PTB_ARCHIVE = "simple-examples.tgz"
PTB_URL = f"http://www.fit.vutbr.cz/~imikolov/rnnlm/{PTB_ARCHIVE}"
PTB_MD5 = "30177ea32e27c525793142b6bf2c8e2d"
PTB_FILES = ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")

_PTB_FOLDER = "simple-examples/data"
_END = "<eos>"
_PTB_REMEDY = (
    f"set sources.ptb.folder in config/config.yaml to a folder with {PTB_ARCHIVE}, e.g. from {PTB_URL}, "
    f"or with its {', '.join(PTB_FILES)}"
)


def read_ptb(folder: Path | None, url: str | None, cache: Path, md5: str = PTB_MD5) -> DecodedTokens:
    """The three texts, split at white space, with an end token for each newline.

    Unpacked text files have no checksum: only their tokens matter, and ``check`` knows the number of those.

    Args:
        folder: Holds the three text files (at its top, in ``data`` or in ``simple-examples/data``) or the archive;
            None = download.
        url: Address of the archive; None = the canonical one.
        cache: The folder for the downloaded archive.
        md5: Checksum of the archive, verified before anything is unpacked.

    Raises:
        DataError: If a file is missing, damaged or not a text file, or a download fails; names file and remedy.

    Source: inventory 1.1.
    """
    texts, origin = _read_texts(folder, url, cache, md5)
    train, val, test = (_split(content, name) for name, content in texts.items())
    return number_words(train, val, test, origin)


def _read_texts(folder: Path | None, url: str | None, cache: Path, md5: str) -> tuple[dict[str, bytes], str]:
    """File name -> text, in the order of PTB_FILES; and where the texts came from."""
    folders = [] if folder is None else [folder, folder / "data", folder / _PTB_FOLDER]
    if (unpacked := folder_with(PTB_FILES, *folders)) is not None:
        texts = {str(unpacked / name): read_file(unpacked / name, _PTB_REMEDY) for name in PTB_FILES}
        return texts, str(unpacked / "ptb.{train,valid,test}.txt")
    content, origin = read_or_fetch(PTB_ARCHIVE, folder, url or PTB_URL, cache, md5, _PTB_REMEDY)
    members = read_members(content, [f"{_PTB_FOLDER}/{name}" for name in PTB_FILES], origin, _PTB_REMEDY)
    return {f"{origin}, member {name}": text for name, text in members.items()}, origin


def _split(content: bytes, name: str) -> list[str]:
    try:
        return content.decode("utf-8").replace("\n", f" {_END} ").split()
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not a text file ({error}); {_PTB_REMEDY}") from error


BIBLE_FILE = "bible-kjv.txt"
# of the text printed by the program in Debian's bible-kjv 4.38
BIBLE_SHA256 = "cd45f0c9cedab8e4439bd6486c8952c77cc8b0ecc5d1f6ae3513f2039f47229d"

_VERSE = re.compile(r"(?P<chapter>\w+):\d+ (?P<text>.*)")
_WORD = re.compile("[a-z]+(?:'[a-z]+)*")
_PERIOD = 20  # of every 20 chapters, one is for validation and one for the test
_BIBLE_REMEDY = (
    f"install Debian's bible-kjv 4.38 and print its text: bible -f gen1:1-rev22:21 > data/{BIBLE_FILE}, with "
    "sources.bible-kjv.folder set to that folder, as in config/substitutes/debian.yaml"
)


def read_bible_kjv(folder: Path | None, url: str | None, cache: Path, sha256: str = BIBLE_SHA256) -> DecodedTokens:
    """The verses in lower case, letters and inner apostrophes only, with an end token for each.

    Every tenth chapter is held out of the training text, alternately for validation and for the test, so that all three
    parts cover the same kinds of books.

    Args:
        folder: Holds bible-kjv.txt, one verse per line after its reference; None = download.
        url: Address of that file; there is no canonical one.
        cache: The folder for the downloaded file.
        sha256: Checksum of that file, verified before anything is read.

    Raises:
        DataError: If the file is missing, damaged or another version, or a download fails; names file and remedy.
    """
    if folder is None and url is None:
        raise DataError(f"{BIBLE_FILE}: no folder is configured; {_BIBLE_REMEDY}")
    content, origin = read_or_fetch(BIBLE_FILE, folder, url or "", cache, sha256, _BIBLE_REMEDY)
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    chapters = groupby(_verses(content, origin), key=lambda verse: verse["chapter"])
    for number, (_, verses) in enumerate(chapters, start=1):
        part = parts[{0: 2, _PERIOD // 2: 1}.get(number % _PERIOD, 0)]
        for verse in verses:
            part += [*_WORD.findall(verse["text"].lower()), _END]
    return number_words(*parts, origin)


def _verses(content: bytes, origin: str) -> list[re.Match[str]]:
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{origin} is not a text file of verses ({error}); {_BIBLE_REMEDY}") from error
    verses = [match for line in lines if (match := _VERSE.fullmatch(line))]
    if len(verses) < len(lines) or not verses:
        raise DataError(f"{origin}: {len(verses)} of {len(lines)} lines are a reference and a verse; {_BIBLE_REMEDY}")
    return verses


def read_python_topics(*_: object) -> DecodedTokens:
    """The first words, in lower case, letters only: 50,000 for training, 6,000 for validation, 6,000 for the test.

    The text differs between versions of Python; its hash tells them apart.

    Raises:
        DataError: If this Python installation lacks the text.
    """
    origin = f"Python {platform.python_version()}, pydoc_data.topics"
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(f"{origin}: {error}; install Python with its whole standard library") from error
    words = re.findall("[a-z]+", " ".join(topics[name] for name in sorted(topics)).lower())
    val = PYTHON_TOPICS.num_train
    test = val + PYTHON_TOPICS.num_val
    return number_words(words[:val], words[val:test], words[test : test + PYTHON_TOPICS.num_test], origin)
