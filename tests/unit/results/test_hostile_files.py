"""Files that are sealed and correct, but lead elsewhere or promise more than they hold: one line each, at once."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from results_folder import ResultsFolder

from sharpest.errors import StoreError
from sharpest.pipeline.verify import print_verified
from sharpest.results.file import TOGETHER
from sharpest.results.record import read_record
from sharpest.results.versions import check_version
from sharpest.results.whole import USER_BLOCK

RUN = "scnn-c10-sgd-lr0.01-S128-s777"
ROWS = 10**10


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    folder = ResultsFolder(tmp_path / "quick")
    folder.write_history(RUN, {"epoch": [1.0]})
    folder.write_snapshots(RUN, {}, {})
    return folder


def wrong(folder: ResultsFolder, capsys: pytest.CaptureFixture[str]) -> str:
    """What verification says of the one wrong file."""
    assert print_verified(folder.paths.folder) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: ")]
    return line


def recorded(folder: ResultsFolder, key: str, place: str) -> None:
    path = folder.paths.made(folder.paths.history(RUN))
    record = json.loads(path.read_text())
    record[key][place] = "0" * 64
    path.write_text(json.dumps(record))


@pytest.mark.parametrize("key", ["files", "made_from"])
@pytest.mark.parametrize("place", ["/dev/zero", "../quick/runs", "runs/../../x", "", ".", "a\nb"])
def test_a_record_names_only_files_of_its_folder(
    folder: ResultsFolder, key: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(folder, key, place)
    assert f"names {place!r}, which does not lie in the folder of a scale" in wrong(folder, capsys)


@pytest.mark.parametrize("key", ["files", "made_from"])
@pytest.mark.parametrize("name", ["pipe.csv", "pipe.h5", "zero.csv", "zero.h5", "inner"])
def test_a_record_names_only_regular_files(
    folder: ResultsFolder, key: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder.paths.folder / "tables" / name
    path.parent.mkdir()
    if name.startswith("pipe"):
        os.mkfifo(path)
    elif name.startswith("zero"):
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    recorded(folder, key, f"tables/{name}")
    print_verified(folder.paths.folder)
    assert f"wrong: {path}: is not a regular file; remove it" in capsys.readouterr().out


def test_a_pipe_in_place_of_states_is_found_at_once(folder: ResultsFolder, capsys: pytest.CaptureFixture[str]) -> None:
    states = folder.paths.snapshots(RUN)
    states.unlink()
    os.mkfifo(states)
    check_version(folder.paths)
    assert "snapshots.h5: is not a regular file; remove it" in wrong(folder, capsys)


@pytest.mark.parametrize(
    "content",
    [
        "[]", "3", "Infinity", "[" * 10_000, '{"scale": 1}', '{"scale": 1, "files": [1], "made_from": 2}',
        '{"scale": "quick", "files": {"x": Infinity}, "made_from": [[]]}',
    ],
)  # fmt: skip
def test_a_record_of_another_type_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "history.made.json"
    path.write_text(content)
    with pytest.raises(StoreError, match=r"is not a (record of finished files|text|mapping)") as refused:
        read_record(path)
    assert "\n" not in str(refused.value)


def linked(file: h5py.File) -> None:
    del file["iteration"]
    file["iteration"] = h5py.ExternalLink("/etc/passwd", "/x")


def stored_outside(file: h5py.File) -> None:
    del file["iteration"]
    file.create_dataset("iteration", (3,), "i8", external=[("/dev/zero", 0, 24)])


def virtual(file: h5py.File) -> None:
    del file["iteration"]
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (3,))
    file.create_virtual_dataset("iteration", layout)


def endless(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file.create_dataset(name, (ROWS,), "f8", chunks=(2**20,), compression="gzip")

    return change


def attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    return lambda file: file.attrs.create(name, value)


HOSTILE = {
    "a link": (linked, "'iteration' is a link, not an array"),
    "content of another file": (stored_outside, "iteration has 24 bytes, which are not in the file"),
    "a view of another file": (virtual, "iteration has 24 bytes, which are not in the file"),
    "an endless array": (endless("epoch"), "epoch has 80,000,000,000 bytes, which are not in the file"),
    "another endless array": (endless("more"), "has an unknown array 'more'"),
    "a group": (lambda file: file.create_group("more"), "has an unknown array 'more'"),
    "a combined file": (attribute("layout", TOGETHER), "holds "),
    "a list of layouts": (attribute("layout", np.arange(3)), "ambiguous"),
    "a version of another type": (attribute("version", "x"), "not supported"),
    "sources that are a list": (attribute("made_from", "[1, 2]"), "its attribute made_from is not a mapping"),
    "sources that are a number": (attribute("made_from", 3), "its attribute made_from is not a mapping"),
    "a source elsewhere": (attribute("made_from", '{"../x": "0"}'), "names '../x', which does not lie in"),
    "a source that never ends": (attribute("made_from", '{"/dev/zero": "0"}'), "names '/dev/zero', which"),
    "digests that are numbers": (attribute("made_from", '{"x": Infinity}'), "its attribute made_from is not a mapping"),
    "a run that is an array": (attribute("run", np.arange(3)), "its attribute run is not a text"),
    "a scale that is a number": (attribute("scale", 1e999), "its attribute scale is not a text"),
    "text that is no JSON": (attribute("made_from", "{"), "Expecting property name"),
    "deep JSON": (attribute("made_from", "[" * 60_000), "recursion"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_sealed_file_leads_nowhere_else(case: str, folder: ResultsFolder, capsys: pytest.CaptureFixture[str]) -> None:
    change, message = HOSTILE[case]
    path = folder.paths.snapshots(RUN)
    with h5py.File(path, "r+") as file:
        change(file)
    reseal(path)
    assert message in wrong(folder, capsys)


def reseal(path: Path) -> None:
    """A correct checksum, as whoever means harm would write it, and some digest, which needs reading all arrays."""
    import sharpest.results.whole as checksum

    with open(path, "r+b") as stream:
        size, digest = os.fstat(stream.fileno()).st_size, "0" * 64
        sealed = {"size": size, "apart": [], "digest": digest, "crc32": checksum._checksum(stream, size, [], digest)}
        stream.seek(0)
        stream.write((b"sharpest " + json.dumps(sealed).encode()).ljust(USER_BLOCK, b"\0"))


@pytest.mark.parametrize(
    "block",
    ['{"size": 1, "crc32": 2, "apart": [[Infinity, 1]]}', "[" * 990, "3", '{"size": [], "crc32": 0, "apart": 1}'],
)
def test_a_seal_of_another_type_is_refused(
    block: str, folder: ResultsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder.paths.snapshots(RUN)
    with open(path, "r+b") as stream:
        stream.write((b"sharpest " + block.encode()).ljust(USER_BLOCK, b"\0"))
    assert "is truncated or damaged" in wrong(folder, capsys)
