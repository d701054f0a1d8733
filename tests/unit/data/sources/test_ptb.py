"""The Penn Treebank: synthetic files and archives in the format of the originals."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from sharpest.config.sources import TokenSource
from sharpest.data.sources import files
from sharpest.data.sources.tokens import PTB_ARCHIVE, PTB_FILES, PTB_URL
from sharpest.data.sources.tokens import read_ptb as load
from sharpest.errors import DataError

REMEDY = rf"; set sources\.ptb\.folder in config/config\.yaml to a folder with {PTB_ARCHIVE}, e\.g\. from {PTB_URL}, or"
# lines begin and end with a blank, as in the original files
TEXTS = {
    "ptb.train.txt": b" the <unk> rose \n the N n't fell the \n",
    "ptb.valid.txt": b" N rose \n",
    "ptb.test.txt": b" fell \n the \n",
}
# the: 3, <eos>: 2, then in alphabetical order <unk>, N, fell, n't, rose
TRAIN = [0, 2, 6, 1, 0, 3, 5, 4, 0, 1]
VAL, TEST = [3, 6, 1], [4, 1, 0, 1]


def _write(folder: Path, texts: dict[str, bytes] = TEXTS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in texts.items():
        (folder / name).write_bytes(content)


def _pack(folder: Path, texts: dict[str, bytes] = TEXTS) -> str:
    """Write an archive; its MD5."""
    folder.mkdir(exist_ok=True)
    path = folder / PTB_ARCHIVE
    # the original archive holds other texts too, and its paths begin with ./
    others = {"./simple-examples/README": b"read", "./simple-examples/data/ptb.char.train.txt": b"t h e"}
    with tarfile.open(path, "w:gz") as tar:
        for name, content in {**others, **{f"./simple-examples/data/{n}": c for n, c in texts.items()}}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return hashlib.md5(path.read_bytes()).hexdigest()


def _load(folder, md5="0" * 32, cache=None, url=None):
    return load(folder, url, cache, md5=md5)


def _assert_is_what_was_written(data) -> None:
    assert (data.train.tolist(), data.val.tolist(), data.test.tolist()) == (TRAIN, VAL, TEST)
    assert data.num_types == 7


@pytest.mark.parametrize("inside", ["", "data", "simple-examples/data"])
def test_text_files(tmp_path, inside):
    _write(tmp_path / inside)
    data = _load(tmp_path)
    _assert_is_what_was_written(data)
    assert data.origin == str(tmp_path / inside / "ptb.{train,valid,test}.txt")


def test_archive(tmp_path):
    data = _load(tmp_path, _pack(tmp_path))
    _assert_is_what_was_written(data)
    assert data.origin == str(tmp_path / PTB_ARCHIVE)


def test_text_files_come_before_the_archive(tmp_path):
    _pack(tmp_path)
    _write(tmp_path / "simple-examples/data")
    _assert_is_what_was_written(_load(tmp_path))


def test_line_ends_of_windows_change_nothing(tmp_path):
    _write(tmp_path, {name: content.replace(b"\n", b"\r\n") for name, content in TEXTS.items()})
    _assert_is_what_was_written(_load(tmp_path))


@pytest.mark.parametrize("name", PTB_FILES)
def test_missing_file(tmp_path, name):
    _write(tmp_path / "data", {other: content for other, content in TEXTS.items() if other != name})
    with pytest.raises(DataError, match=rf"^{tmp_path}/data/{name} does not exist{REMEDY}"):
        _load(tmp_path)


def test_missing_member(tmp_path):
    md5 = _pack(tmp_path, {name: TEXTS[name] for name in PTB_FILES[:2]})
    complaint = rf"^{tmp_path}/{PTB_ARCHIVE} lacks simple-examples/data/ptb\.test\.txt{REMEDY}"
    with pytest.raises(DataError, match=complaint):
        _load(tmp_path, md5)


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/{PTB_ARCHIVE} does not exist{REMEDY}"):
        _load(tmp_path)
    with pytest.raises(DataError, match=rf"^{tmp_path}/nowhere/{PTB_ARCHIVE}: its folder does not exist{REMEDY}"):
        _load(tmp_path / "nowhere")


def test_a_wrong_archive_is_refused_before_it_is_opened(tmp_path, monkeypatch):
    digest = _pack(tmp_path)

    def must_not_be_called(*_, **__):
        raise AssertionError("opened before its checksum was found right")

    monkeypatch.setattr(files.tarfile, "open", must_not_be_called)
    with pytest.raises(DataError, match=rf"^{tmp_path}/{PTB_ARCHIVE} has MD5 {digest}, expected 0{{32}}: .*{REMEDY}"):
        _load(tmp_path)


def test_the_default_checksum_is_the_original(tmp_path):
    _pack(tmp_path)
    with pytest.raises(DataError, match="expected 30177ea32e27c525793142b6bf2c8e2d"):
        load(tmp_path, None, tmp_path)


def test_truncated_archive(tmp_path):
    _pack(tmp_path)
    path = tmp_path / PTB_ARCHIVE
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=rf"^{path} is truncated or damaged \(.*\){REMEDY}"):
        _load(tmp_path, hashlib.md5(path.read_bytes()).hexdigest())


def test_no_text(tmp_path):
    _write(tmp_path, {**TEXTS, "ptb.valid.txt": b"\xff\xfe\x00"})
    with pytest.raises(DataError, match=rf"^{tmp_path}/ptb\.valid\.txt is not a text file \(.*\){REMEDY}"):
        _load(tmp_path)


def test_wrong_count_of_tokens(tmp_path):
    source = TokenSource(len(TRAIN), len(VAL), len(TEST), 7, "Penn Treebank")
    _write(tmp_path)
    _load(tmp_path).check(source)
    # the last line of a truncated file has no line end
    _write(tmp_path, {"ptb.valid.txt": TEXTS["ptb.valid.txt"][:-1]})
    with pytest.raises(
        DataError,
        match=rf"^Penn Treebank from {tmp_path}/ptb\.{{train,valid,test}}\.txt: the val text has 2 tokens, expected 3",
    ):
        _load(tmp_path).check(source)


def test_download_is_verified_and_kept(tmp_path):
    md5 = _pack(tmp_path / "served")
    url, cache = (tmp_path / "served" / PTB_ARCHIVE).as_uri(), tmp_path / "cache"
    data = _load(None, md5, cache, url)
    _assert_is_what_was_written(data)
    assert data.origin == url
    assert [path.name for path in cache.iterdir()] == [PTB_ARCHIVE]


def test_no_connection(tmp_path):
    with pytest.raises(DataError, match=rf"^{PTB_ARCHIVE} cannot be downloaded .*: no connection .*{REMEDY}"):
        _load(None, cache=tmp_path, url="http://127.0.0.1:9/archive")
