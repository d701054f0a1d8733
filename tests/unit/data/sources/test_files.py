"""Files: reading, verifying and keeping them; every failure names the file and the remedy."""

import hashlib
import io
import tarfile

import pytest

from sharpest.data.sources.files import fetch, folder_with, read_file, read_members
from sharpest.errors import DataError

CONTENT = b"the file"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
NO_SERVER = "http://127.0.0.1:9/file"  # the discard port, on which nothing listens


@pytest.fixture
def served(tmp_path):
    """A file at a file:// address."""
    path = tmp_path / "served" / "file"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def test_read_file_reports_what_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path} cannot be read \(Is a directory\); look$"):
        read_file(tmp_path, "look")


def test_fetch_keeps_the_file_and_reads_it_the_second_time(served, tmp_path):
    kept = tmp_path / "cache" / "deep" / "file"
    assert fetch(served.as_uri(), kept, SHA256, "look") == CONTENT
    assert [path.name for path in kept.parent.iterdir()] == ["file"]
    assert fetch(NO_SERVER, kept, SHA256, "look") == CONTENT
    assert fetch(NO_SERVER, kept, MD5, "look") == CONTENT


def test_fetch_replaces_a_damaged_file(served, tmp_path):
    kept = tmp_path / "file"
    kept.write_bytes(CONTENT[:3])
    assert fetch(served.as_uri(), kept, SHA256, "look") == CONTENT
    assert kept.read_bytes() == CONTENT


@pytest.mark.parametrize("url", [NO_SERVER, "no address", "file:///nowhere/file"])
def test_fetch_without_connection(url, tmp_path):
    with pytest.raises(DataError, match=rf"^file cannot be downloaded from {url} \(.*\): no connection .*; look$"):
        fetch(url, tmp_path / "file", SHA256, "look")


def test_fetch_into_a_place_that_cannot_be_written(served, tmp_path):
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.raises(DataError, match=rf"^{tmp_path}/cache/file: cannot be written .*; free space or correct"):
        fetch(served.as_uri(), tmp_path / "cache" / "file", SHA256, "look")


def test_folder_with_finds_the_first_place_that_holds_a_file(tmp_path):
    for place in ("b", "c"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "two").touch()
    (tmp_path / "a" / "two").mkdir(parents=True)  # a folder with the name does not count as the file
    places = [tmp_path / name for name in "abc"]
    assert folder_with(("one", "two"), *places) == tmp_path / "b"
    assert folder_with(("one",), *places) is None
    assert folder_with(("one", "two")) is None


def _packed(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def test_read_members_returns_the_requested_order():
    content = _packed({"./folder/b": b"2", "c": b"3", "folder/a": b"1", "other/b": b"4"})
    assert list(read_members(content, ["folder/a", "folder/b"], "archive", "look").items()) == [
        ("folder/a", b"1"),
        ("folder/b", b"2"),
    ]


@pytest.mark.parametrize("length", [0, 3, 20, 100])
def test_read_members_of_a_truncated_archive(length):
    with pytest.raises(DataError, match=r"^archive is truncated or damaged \(.*\); look$"):
        read_members(_packed({"a": bytes(range(256))})[:length], ["a"], "archive", "look")
