"""The Penn Treebank as prepared by Mikolov: text files, or the archive that holds them.

The text is licensed by the Linguistic Data Consortium; neither the text nor data decoded from it may be passed on.
"""

from pathlib import Path

from sharpest.config.sources import PTB as SOURCE
from sharpest.data.sources.decoded import DecodedTokens
from sharpest.data.sources.files import folder_with, read_file, read_members, read_or_fetch
from sharpest.data.sources.words import number_words
from sharpest.errors import DataError

__all__ = ["SOURCE", "load"]

PTB_ARCHIVE = "simple-examples.tgz"
PTB_URL = f"http://www.fit.vutbr.cz/~imikolov/rnnlm/{PTB_ARCHIVE}"
PTB_MD5 = "30177ea32e27c525793142b6bf2c8e2d"
PTB_FILES = ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")

_FOLDER = "simple-examples/data"
_END = "<eos>"
_REMEDY = (
    f"set sources.ptb.folder in config/config.yaml to a folder with {PTB_ARCHIVE}, e.g. from {PTB_URL}, "
    f"or with its {', '.join(PTB_FILES)}"
)


def load(folder: Path | None, url: str | None, cache: Path, md5: str = PTB_MD5) -> DecodedTokens:
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
    folders = [] if folder is None else [folder, folder / "data", folder / _FOLDER]
    if (unpacked := folder_with(PTB_FILES, *folders)) is not None:
        texts = {str(unpacked / name): read_file(unpacked / name, _REMEDY) for name in PTB_FILES}
        return texts, str(unpacked / "ptb.{train,valid,test}.txt")
    content, origin = read_or_fetch(PTB_ARCHIVE, folder, url or PTB_URL, cache, md5, _REMEDY)
    members = read_members(content, [f"{_FOLDER}/{name}" for name in PTB_FILES], origin, _REMEDY)
    return {f"{origin}, member {name}": text for name, text in members.items()}, origin


def _split(content: bytes, name: str) -> list[str]:
    try:
        return content.decode("utf-8").replace("\n", f" {_END} ").split()
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is not a text file ({error}); {_REMEDY}") from error
