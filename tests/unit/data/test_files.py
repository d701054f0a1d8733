"""Files: read, verified, kept; every failure names file and remedy."""

import hashlib

import pytest

from sharpest.data.files import check_sha256, fetch, read_file
from sharpest.errors import DataError

CONTENT = b"the file"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NO_SERVER = "http://127.0.0.1:9/file"  # the discard port, where nothing listens


@pytest.fixture
def served(tmp_path):
    """A file that a file:// address leads to."""
    path = tmp_path / "served" / "file"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def test_read_file_tells_a_missing_file_from_a_missing_folder(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/file does not exist; look$"):
        read_file(tmp_path / "file", "look")
    with pytest.raises(DataError, match=rf"^{tmp_path}/folder/file: its folder does not exist; look$"):
        read_file(tmp_path / "folder" / "file", "look")


def test_read_file_reports_what_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path} cannot be read \(Is a directory\); look$"):
        read_file(tmp_path, "look")


def test_check_sha256():
    check_sha256(CONTENT, SHA256, "file", "look")
    with pytest.raises(DataError, match=rf"^file has SHA-256 [0-9a-f]+, expected {SHA256}.*; look$"):
        check_sha256(CONTENT + b"!", SHA256, "file", "look")


def test_fetch_keeps_the_file_and_reads_it_the_second_time(served, tmp_path):
    kept = tmp_path / "cache" / "deep" / "file"
    assert fetch(served.as_uri(), kept, SHA256, "look") == CONTENT
    assert [path.name for path in kept.parent.iterdir()] == ["file"]
    assert fetch(NO_SERVER, kept, SHA256, "look") == CONTENT


def test_fetch_replaces_a_damaged_file(served, tmp_path):
    kept = tmp_path / "file"
    kept.write_bytes(CONTENT[:3])
    assert fetch(served.as_uri(), kept, SHA256, "look") == CONTENT
    assert kept.read_bytes() == CONTENT


def test_fetch_keeps_nothing_with_another_checksum(served, tmp_path):
    served.write_bytes(b"an error page")
    with pytest.raises(DataError, match=rf"^{served.as_uri()} has SHA-256 .*; look$"):
        fetch(served.as_uri(), tmp_path / "file", SHA256, "look")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("url", [NO_SERVER, "no address", "file:///nowhere/file"])
def test_fetch_without_connection(url, tmp_path):
    with pytest.raises(DataError, match=rf"^file cannot be downloaded from {url} \(.*\): no connection .*; look$"):
        fetch(url, tmp_path / "file", SHA256, "look")


def test_fetch_into_a_place_that_cannot_be_written(served, tmp_path):
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.raises(DataError, match=rf"^{tmp_path}/cache/file: cannot be written .*; free space or correct"):
        fetch(served.as_uri(), tmp_path / "cache" / "file", SHA256, "look")
