"""The King James Bible as Debian's program ``bible`` prints it, a substitute for the Penn Treebank."""

import re
from itertools import groupby
from pathlib import Path

from sharpest.config.sources import BIBLE_KJV as SOURCE
from sharpest.data.sources.decoded import DecodedTokens
from sharpest.data.sources.files import read_or_fetch
from sharpest.data.sources.words import number_words
from sharpest.errors import DataError

__all__ = ["SOURCE", "load"]

BIBLE_FILE = "bible-kjv.txt"
# of the text printed by the program in Debian's bible-kjv 4.38
BIBLE_SHA256 = "cd45f0c9cedab8e4439bd6486c8952c77cc8b0ecc5d1f6ae3513f2039f47229d"

_VERSE = re.compile(r"(?P<chapter>\w+):\d+ (?P<text>.*)")
_WORD = re.compile("[a-z]+(?:'[a-z]+)*")
_END = "<eos>"
_PERIOD = 20  # of every 20 chapters, one is for validation and one for the test
_REMEDY = (
    f"install Debian's bible-kjv 4.38 and print its text: bible -f gen1:1-rev22:21 > data/{BIBLE_FILE}, with "
    "sources.bible-kjv.folder set to that folder, as in config/substitutes/debian.yaml"
)


def load(folder: Path | None, url: str | None, cache: Path, sha256: str = BIBLE_SHA256) -> DecodedTokens:
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
        raise DataError(f"{BIBLE_FILE}: no folder is configured; {_REMEDY}")
    content, origin = read_or_fetch(BIBLE_FILE, folder, url or "", cache, sha256, _REMEDY)
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
        raise DataError(f"{origin} is not a text file of verses ({error}); {_REMEDY}") from error
    verses = [match for line in lines if (match := _VERSE.fullmatch(line))]
    if len(verses) < len(lines) or not verses:
        raise DataError(f"{origin}: {len(verses)} of {len(lines)} lines are a reference and a verse; {_REMEDY}")
    return verses
