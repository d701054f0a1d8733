"""Any content of an input file: either it works, or one line names the wrong file or key.

There is never a traceback or a hang. The tests use a few examples of each kind, ``make fuzz`` thousands.
"""

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sealed import changed

from sharpest.claims.ledger import read_ledger
from sharpest.config.measures import declared
from sharpest.config.project import load_project
from sharpest.config.reading import read_keys, read_runs
from sharpest.errors import SharpestError
from sharpest.results.file import open_stored, write_stored

CONFIG = Path(__file__).parents[2] / "config"
SPECTRA = declared("spectra").layout
SECONDS = 5  # CPU seconds for one file
fuzzed = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "10")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

SCALARS = [
    "", "0", "-1", "1", "1e400", ".nan", ".inf", "-.inf", "null", "~", "true", "[]", "{}", "[1, x]", "{a: 1}", "٣", "²",
    "1" + "0" * 40, "0x1F", "1_000", "1:30", "2026-11-27", "2026-13-77", "!!python/object:os.system x", "!!int x",
    "!!binary x", "&a [*a]", "*a", "<<: 1", "..", "../../x", "~nobody", "/", "$", "$x$", "{}%s", "\x00", "\x1b",
    "\u2028", "\ufeff", "é", "a" * 3000, "[" * 300, "'", '"', "|", "- ", "a: b: c", "every 0 iterations", "1..", "nan",
]  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn, text: str) -> bytes:
    """A text with up to three errors as made by a person, a program or a disk."""
    for _ in range(draw(st.integers(1, 3))):
        lines = text.splitlines(keepends=True) or [""]
        line = draw(st.integers(0, len(lines) - 1))
        place = draw(st.integers(0, len(text)))
        match draw(st.sampled_from(["word", "word", "word", "drop", "twice", "move", "cut", "insert", "end"])):
            case "word":
                if words := list(re.finditer(r"[\w.+@-]+", text)):
                    word = words[draw(st.integers(0, len(words) - 1))]
                    other = draw(st.sampled_from(SCALARS) | st.text(max_size=8) | st.integers().map(str))
                    text = text[: word.start()] + other + text[word.end() :]
            case "drop":
                text = "".join([*lines[:line], *lines[line + 1 :]])
            case "twice":
                text = "".join([*lines[:line], lines[line], *lines[line:]])
            case "move":
                text = "".join([lines[line], *lines[:line], *lines[line + 1 :]])
            case "cut":
                text = text[:place] + text[place + draw(st.integers(1, 40)) :]
            case "insert":
                text = text[:place] + draw(st.sampled_from(SCALARS) | st.text(max_size=5)) + text[place:]
            case "end":
                text = text[:place]
    encoding = draw(st.sampled_from(["utf-8"] * 8 + ["utf-8-sig", "utf-16", "latin-1"]))
    return text.encode(encoding, errors="replace")


def works_or_says(read: Callable[[], Any], *places: str) -> str:
    """Read an input; returns the one-line refusal, which names one of the places."""
    began, message = time.process_time(), ""
    try:
        read()
    except SharpestError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert any(place in message for place in places), message
    assert time.process_time() - began < SECONDS, "hangs"
    return message


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the configuration."""
    return Path(shutil.copytree(CONFIG, tmp_path_factory.mktemp("fuzz") / "config"))


def load_with(folder: Path, name: str, content: bytes) -> None:
    """Load the project with different content of one configuration file."""
    path = folder / name
    before = path.read_bytes()
    try:
        path.write_bytes(content)
        load_project(read_keys(folder / "config.yaml"), folder)
    finally:
        path.write_bytes(before)


@fuzzed
@given(spoiled((CONFIG / "config.yaml").read_text()))
def test_the_page_that_a_user_edits(folder: Path, content: bytes) -> None:
    works_or_says(lambda: load_with(folder, "config.yaml", content), "config", "scales/")


@fuzzed
@given(spoiled((CONFIG / "scales/quick.yaml").read_text()))
def test_scales(folder: Path, content: bytes) -> None:
    works_or_says(lambda: load_with(folder, "scales/quick.yaml", content), "quick", "config", "run ")


@fuzzed
@given(spoiled((CONFIG / "studies.yaml").read_text()))
def test_studies(folder: Path, content: bytes) -> None:
    works_or_says(lambda: load_with(folder, "studies.yaml", content), "studies.yaml", "scale quick", "run ")


@fuzzed
@given(spoiled("".join((CONFIG / "runs.tsv").read_text().splitlines(keepends=True)[:12])))
def test_runs(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "runs.tsv"
    path.write_bytes(content)
    works_or_says(lambda: read_runs(path), str(path))


@fuzzed
@given(spoiled("".join((CONFIG / "claims.csv").read_text().splitlines(keepends=True)[:8])))
def test_ledgers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes(content)
    works_or_says(lambda: read_ledger(path), str(path))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small results file."""
    path = tmp_path_factory.mktemp("stored") / "whole.h5"
    sizes = {letter: 2 for dataset in SPECTRA.datasets for letter in dataset.dims}
    arrays = {each.name: np.ones([sizes[letter] for letter in each.dims], each.dtype) for each in SPECTRA.datasets}
    write_stored(path, SPECTRA, arrays, dict.fromkeys(SPECTRA.attributes, "x"))
    return path


def read_all(path: Path) -> None:
    with open_stored(path, SPECTRA) as file:
        for dataset in SPECTRA.datasets:
            file[dataset.name]


@fuzzed
@given(st.data())
def test_bytes_of_results(stored: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Every changed byte is detected before HDF5 reads it."""
    whole, path = stored.read_bytes(), tmp_path / "a.h5"
    place = data.draw(st.integers(0, len(whole)) | st.integers(0, 1100))
    new = data.draw(st.binary(max_size=40))
    rest = whole[place + data.draw(st.sampled_from([0, len(new), len(whole)])) :]
    content = whole[:place] + new + rest
    path.write_bytes(content)
    message = works_or_says(lambda: read_all(path), str(path))
    assert bool(message) == (content != whole) or json_alike(whole, content)


def json_alike(whole: bytes, content: bytes) -> bool:
    """Whether two files differ only in the spaces of their seals."""
    return len(whole) == len(content) and whole[1024:] == content[1024:]


@fuzzed
@given(st.data())
def test_contents_of_results(stored: Path, tmp_path: Path, data: st.DataObject) -> None:
    """As written by another program, or by a later version, with a correct checksum."""
    path = tmp_path / "a.h5"
    shutil.copy(stored, path)
    with changed(path) as file:
        for _ in range(data.draw(st.integers(1, 3))):
            owner = data.draw(st.sampled_from([file, *(each for each in file.values())]))
            name = data.draw(st.sampled_from([*owner.attrs, "new", "layout", "version"]))
            value = data.draw(st.integers(-9, 9) | st.floats() | st.sampled_from(["{", "[1", '"x', "null", "", "é"]))
            if isinstance(owner, h5py.Dataset) and data.draw(st.booleans()):
                shape = data.draw(st.lists(st.integers(0, 3), max_size=3))
                dtype = data.draw(st.sampled_from(["f4", "f8", "i8", "?", "S3"]))
                place = owner.name
                del file[place]
                file[place] = np.zeros(shape, dtype)
            else:
                owner.attrs[name] = value
    works_or_says(lambda: read_all(path), str(path))
