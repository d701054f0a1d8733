"""Files that would run code or reach outside their folder: they are refused, and leave no trace."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from sharpest.data.sources.files import read_members
from sharpest.data.sources.images import read_own_images
from sharpest.errors import DataError


class Intruder:
    """Creates a folder when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.trace,)


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path) -> None:
    """Those of IMDB only behind their checksum: test_files_of_sources.py."""
    trace, path = tmp_path / "trace", tmp_path / "own-images.npz"
    names = ("train_inputs", "train_targets", "test_inputs", "test_targets")
    np.savez(path, **dict.fromkeys(names, np.array([Intruder(trace)], dtype=object)))
    with pytest.raises(DataError, match=r"own-images\.npz cannot be read \(Object arrays cannot be loaded"):
        read_own_images(tmp_path, None, tmp_path)
    assert not trace.exists()
    with np.load(path, allow_pickle=True) as file:
        file[names[0]]  # unpickling the intruder does create the folder
    assert trace.exists()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "intruder",
    [
        member("../outside"),
        member("/tmp/outside"),
        member("set/../../outside"),
        member("set/batch", tarfile.SYMTYPE, "/etc/passwd"),
        member("set/batch", tarfile.SYMTYPE, "../../../etc/passwd"),
        member("set/batch", tarfile.LNKTYPE, "/etc/passwd"),
        member("set/batch", tarfile.CHRTYPE),
        member("set", tarfile.SYMTYPE, "/"),
    ],
    ids=lambda info: f"{info.name} {info.type.decode()} {info.linkname}",
)
def test_an_archive_writes_nothing_and_reads_nothing_outside(
    intruder: tarfile.TarInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only regular files are read, into memory; links are not followed."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        intruder.size = 4 if intruder.isreg() else 0
        tar.addfile(intruder, io.BytesIO(b"evil"))
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(DataError, match=r"archive\.tar\.gz lacks set/batch; get it again"):
        read_members(content.getvalue(), ["set/batch"], "archive.tar.gz", "get it again")
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]
    assert not Path("/tmp/outside").exists()
