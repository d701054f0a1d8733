"""What the code may not do: run what a file or a setting holds, or touch files that nobody named."""

import ast
import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sharpest.data.sources.files import read_members
from sharpest.data.sources.imdb import load as load_imdb
from sharpest.errors import DataError

ROOT = Path(__file__).parents[2]
PYTHON = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "workflow").rglob("*.py")])
RULES = sorted([ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")])

# modules that run what they read, or start what a text says
FORBIDDEN_MODULES = {
    "pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "pty", "commands", "code",
    "codeop",
}  # fmt: skip
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "execfile", "os.system", "os.popen", "os.execv", "os.execvp", "os.spawnv",
    "os.startfile", "subprocess.getoutput", "subprocess.getstatusoutput", "torch.load", "torch.hub.load", "yaml.load",
    "yaml.unsafe_load", "yaml.full_load", "pd.read_pickle", "pandas.read_pickle", "shutil.unpack_archive",
    "tempfile.mktemp", "ctypes.PyDLL",
}  # fmt: skip
FORBIDDEN_METHODS = {"extract", "extractall", "unpack_archive", "read_pickle", "to_pickle"}
# the two data sets that are published as pickles: read after their checksum was found right, see the tests of each
PICKLES = {"src/sharpest/data/sources/cifar.py": "pickle", "src/sharpest/data/sources/imdb.py": "allow_pickle"}
# where Debian's package puts its files
FOREIGN_PATHS = {"/usr/share/datasets/fashion-mnist"}


def offences(source: str, name: str = "") -> list[str]:
    """What a module does that it may not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        imported = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in imported:
            if module in FORBIDDEN_CALLS or (
                module.partition(".")[0] in FORBIDDEN_MODULES and PICKLES.get(name) != module.partition(".")[0]
            ):
                found.append(f"imports {module}")
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "yaml.load" and any(
                ast.unparse(keyword.value).endswith("SafeLoader") for keyword in node.keywords
            ):
                continue
            if called in FORBIDDEN_CALLS or called.rpartition(".")[2] in FORBIDDEN_METHODS:
                found.append(f"calls {called}")
            for keyword in node.keywords:
                harmless = isinstance(keyword.value, ast.Constant) and not keyword.value.value
                if keyword.arg in ("shell", "allow_pickle") and not harmless and PICKLES.get(name) != keyword.arg:
                    found.append(f"calls {called} with {keyword.arg}")
            texts = [value for value in node.args[:1] if isinstance(value, ast.Constant | ast.JoinedStr | ast.BinOp)]
            if called.startswith("subprocess.") and texts:
                found.append(f"calls {called} with a command that is a text")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"/\w+/", node.value):
            found += [] if node.value in FOREIGN_PATHS else [f"names {node.value}"]
    return found


def all_offences() -> Iterator[str]:
    for path in PYTHON:
        name = path.relative_to(ROOT).as_posix()
        yield from (f"{name} {offence}" for offence in offences(path.read_text(), name))


def test_no_module_runs_what_it_reads() -> None:
    assert len(PYTHON) > 100
    assert list(all_offences()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import dill as d", "eval('1')", "exec(text)", "os.system('ls')",
        "from os import system", "subprocess.run('ls', shell=True)", "subprocess.run(f'ls {name}')", "torch.load(path)",
        "np.load(path, allow_pickle=True)", "np.load(path, allow_pickle=flag)", "yaml.load(text)", "tar.extractall()",
        "yaml.load(text, Loader=yaml.Loader)",
        "__import__(name)", "open('/etc/passwd')", "pd.read_pickle(path)",
    ],
)  # fmt: skip
def test_the_search_finds(source: str) -> None:
    assert offences(source)


def test_no_rule_has_a_shell() -> None:
    """Rules run scripts, which get their settings as values: no command is made from a setting."""
    assert len(RULES) > 5
    for path in RULES:
        text = path.read_text()
        directives = re.findall(r"^\s*(shell|run|wrapper|cwl|notebook|eval|exec)\s*[:(]", text, re.MULTILINE)
        assert directives == [], path
        calls = re.findall(r"\b(?:os\.system|os\.popen|subprocess|eval|exec|pickle|shell)\s*[.(]", text)
        assert calls == [], path


class Intruder:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.trace,)


def test_reviews_are_not_unpickled_before_their_checksum_is_right(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    intruders = np.array([Intruder(trace)], dtype=object)
    np.savez(tmp_path / "imdb.npz", x_train=intruders, y_train=[0], x_test=intruders, y_test=[0])
    with pytest.raises(DataError, match=r"imdb\.npz has SHA-256 .* expected .*damaged or another file"):
        load_imdb(tmp_path, None, tmp_path)
    assert not trace.exists()
    with np.load(tmp_path / "imdb.npz", allow_pickle=True) as file:
        file["x_train"]  # the intruder does intrude
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
    """Members are read into memory, regular files only; a link leads nowhere."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        intruder.size = 4 if intruder.isreg() else 0
        tar.addfile(intruder, io.BytesIO(b"evil"))
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(DataError, match=r"archive\.tar\.gz lacks set/batch; get it anew"):
        read_members(content.getvalue(), ["set/batch"], "archive.tar.gz", "get it anew")
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]
    assert not Path("/tmp/outside").exists()
