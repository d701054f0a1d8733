"""Which lines each test reaches, and which tests can tell that a line was changed."""

import ast
import hashlib
import json
import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from coverage import Coverage

SOURCE = Path("src/sharpest")
ROOMS = {
    "curvature": ["tests/unit/curvature", "tests/property", "tests/oracle", "tests/gpu"],
    "results": ["tests/unit/results"],
    "trajectory": ["tests/unit/trajectory", "tests/unit/training"],
    "training": ["tests/unit/training", "tests/unit/trajectory"],
    "measures": ["tests/unit/measures"],
    "claims": ["tests/unit/claims"],
}


@dataclass(frozen=True)
class Reached:
    """Which lines each test reaches without a mutant.

    Args:
        seconds: Of each test.
        tests: For each module and line, the tests that reach it.
    """

    seconds: dict[str, float]
    tests: dict[Path, dict[int, set[str]]]

    def of(self, path: Path, line: int, most: float) -> list[str]:
        """The tests to run, at most ``most`` seconds of them, but at least one.

        First those that reach a line. If it is a constant or a header, which only imports reach, those that reach its
        function, or any function of its module. Then all tests of its package, since those that start processes, and
        those that read a constant, may reach it unseen. Among these first those in files named after the module or its
        folder, then those of its package, then the files with the quickest tests.
        """
        lines, functions = self.tests.get(path, {}), functions_of(path)
        around = min((function for function in functions if line in function.lines), key=len, default=None)
        if around is not None and line in around.body and lines.get(line):
            reaching = {line}
        else:
            reaching = {each for function in functions if around in (None, function) for each in function.body}
        folders = tuple(f"{folder}/" for folder in ROOMS[path.relative_to(SOURCE).parts[0]])
        near = {test for each in reaching for test in lines.get(each, ())}
        own = {test for test in self.seconds if test.startswith(folders)}

        files = defaultdict(list)
        for test in self.seconds:
            files[file_of(test)].append(self.seconds[test])

        def key(test: str) -> tuple[object, ...]:
            file = file_of(test)
            named = sum(name in file for name in (path.parent.name, path.stem))
            return test not in near, -named, test not in own, fmean(files[file]), file

        # within a file tests keep their order, since the first one made the fixtures that they share
        ordered = sorted((test for test in self.seconds if test in near | own), key=key)
        ends = accumulate(self.seconds[test] for test in ordered)
        return [test for test, end in zip(ordered, ends, strict=True) if end < most] or ordered[:1]

    def limit(self, tests: Sequence[str]) -> int:
        """CPU seconds after which tests hang."""
        return 20 + round(3 * sum(self.seconds[test] for test in tests))


@dataclass(frozen=True)
class Function:
    """The lines of a function with its header, and those of its body."""

    lines: range
    body: range

    def __len__(self) -> int:
        return len(self.lines)


@cache
def functions_of(path: Path) -> list[Function]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, end = min(line.lineno for line in [node, *node.decorator_list]), node.end_lineno + 1
            found.append(Function(range(first, end), range(node.body[0].lineno, end)))
    return found


def use(folder: Path) -> None:
    """Make this process and its children use a copy of the package."""
    os.chdir(folder)
    sys.path.insert(0, str(folder / "src"))
    os.environ["PYTHONPATH"] = str(folder / "src")


def options() -> list[str]:
    """Options of pytest; the files of the tests lie beside the copy, since pytest is slow to clear its usual folder."""
    return ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={Path.cwd()}-files"]


def file_of(test: str) -> str:
    return test.partition("::")[0]


class Contexts:
    """Tells coverage.py which test runs; keeps the seconds of each test, and which fail."""

    def __init__(self, measured: "Coverage") -> None:
        self._measured = measured
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._measured.switch_context(item.nodeid)
        began = time.monotonic()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.monotonic() - began
            self._measured.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def reached(rooms: Sequence[str], folder: Path) -> Reached:
    """Run all tests of some packages, in a forked process, and note the lines that each of them reaches.

    Args:
        rooms: Packages.
        folder: Receives what the process measures, and keeps it for the next call.

    Raises:
        SystemExit: A test fails without a mutant.
    """
    from coverage import Coverage, CoverageData

    folder /= digest(rooms)
    files = {"data_file": str(folder / "coverage"), "source": [str(SOURCE.resolve())]}
    if not (folder / "tests.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if not (child := os.fork()):
            use(Path.cwd())
            measured = Coverage(**files, messages=False)
            contexts = Contexts(measured)
            measured.start()
            pytest.main([*options(), *sorted({test for room in rooms for test in ROOMS[room]})], plugins=[contexts])
            measured.stop()
            measured.save()
            found = json.dumps([contexts.seconds, contexts.failed])
            (folder / "tests.json").write_text(found, encoding="utf-8")
            os._exit(0)
        os.waitpid(child, 0)
    seconds, failed = json.loads((folder / "tests.json").read_text(encoding="utf-8"))
    if failed:
        shutil.rmtree(folder)
        raise SystemExit(f"fix the tests that fail without a mutant first: {' '.join(failed)}")
    data = CoverageData(files["data_file"])
    data.read()
    tests = {}
    for path in data.measured_files():
        lines = data.contexts_by_lineno(path)
        tests[SOURCE / path.rpartition(f"/{SOURCE}/")[2]] = {line: set(lines[line]) - {""} for line in lines}
    return Reached(seconds, tests)


def digest(rooms: Sequence[str]) -> str:
    """Of the code and the tests."""
    sha = hashlib.sha256(" ".join(sorted(rooms)).encode())
    for path in sorted(path for top in ("src", "tests") for path in Path(top).rglob("*") if path.is_file()):
        sha.update(f"{path}\n".encode() + path.read_bytes())
    return sha.hexdigest()[:16]
