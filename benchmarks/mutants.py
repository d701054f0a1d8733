"""Break the code in random places, one at a time, and check whether a test fails: ``python benchmarks/mutants.py 200``.

The operators are those of cosmic-ray; type annotations, which no test needs to check, are not mutated. All tests run
once without a mutant, and coverage.py notes which lines each of them reaches. A mutant first runs the tests that reach
its line, then the others of their files and those of its package that start processes. Everything happens in copies of
the checkout, one for each job, in processes forked from one that has already imported the slow modules.
"""

import argparse
import ast
import csv
import difflib
import json
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from coverage import Coverage

HERE = Path(__file__).parent
CHECKOUT = HERE.parent
SOURCE = Path("src/sharpest")
ROOMS = {
    "curvature": ["tests/unit/curvature", "tests/property", "tests/oracle"],
    "results": ["tests/unit/results"],
    "trajectory": ["tests/unit/trajectory", "tests/unit/training"],
    "training": ["tests/unit/training", "tests/unit/trajectory"],
    "measures": ["tests/unit/measures"],
    "claims": ["tests/unit/claims"],
}
COLUMNS = ["seed", "number", "module", "line", "operator", "verdict", "test", "before", "after"]


@dataclass(frozen=True)
class Mutant:
    """A module with one deliberate mistake."""

    path: Path
    operator: str
    occurrence: int
    line: int

    def source(self) -> str:
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        mutated = mutate_code(self.path.read_text(encoding="utf-8"), get_operator(self.operator)(), self.occurrence)
        assert mutated is not None  # this occurrence exists
        return mutated


def mutants_of(path: Path) -> Iterator[tuple[tuple[int, int], Mutant]]:
    """All mutants of a module, each with its position."""
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.plugins import get_operator, operator_names

    nodes, hidden = list(ast_nodes(get_ast_from_path(path))), list(annotations(path))
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments():
            continue
        places = (place for node in nodes for place in operator().mutation_positions(node))
        for occurrence, (start, _) in enumerate(places):
            if not any(first <= start < last for first, last in hidden):
                yield start, Mutant(path, name, occurrence, start[0])


def annotations(path: Path) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Start and end of each annotation."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for note in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if note is not None:
                yield (note.lineno, note.col_offset), (note.end_lineno, note.end_col_offset)


@cache
def places_of(path: Path) -> list[list[Mutant]]:
    """The mutants of a module, grouped by position."""
    places = defaultdict(list)
    for start, mutant in mutants_of(path):
        places[start].append(mutant)
    return [places[start] for start in sorted(places)]


def drawn(rooms: Sequence[str], seed: int) -> Iterator[Mutant]:
    """Endless distinct mutants: draw a module by its number of lines, a place in it, and a mutant of that place."""
    rng, seen = random.Random(seed), set()  # noqa: S311  # no cryptography
    paths = sorted(path for room in rooms for path in (SOURCE / room).rglob("*.py"))
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]
    while True:
        if places := places_of(rng.choices(paths, lines)[0]):
            mutant = rng.choice(rng.choice(places))
            if mutant not in seen:
                seen.add(mutant)
                yield mutant


@dataclass(frozen=True)
class Reached:
    """Which lines each test reaches without a mutant.

    Args:
        seconds: Of each test.
        starting: Tests that start processes, whose lines are unknown.
        tests: For each module and line, the tests that reach it.
    """

    seconds: dict[str, float]
    starting: set[str]
    tests: dict[Path, dict[int, set[str]]]

    def by(self, mutant: Mutant) -> tuple[list[str], list[str]]:
        """The tests to run, in two stages.

        First those that reach the mutant's line. If it is a constant or a header, which only imports reach, those that
        reach its function, or any function of its module, or else all of its package; the files of the quickest tests
        come first. Then the others of these files, which may share fixtures with them, and those of the package that
        start processes.
        """
        lines, functions = self.tests.get(mutant.path, {}), functions_of(mutant.path)
        around = min((function for function in functions if mutant.line in function.lines), key=len, default=None)
        if around is not None and mutant.line in around.body and lines.get(mutant.line):
            reaching = {mutant.line}
        else:
            reaching = {line for function in functions if around in (None, function) for line in function.body}
        folders = tuple(f"{folder}/" for folder in ROOMS[mutant.path.relative_to(SOURCE).parts[0]])
        near = {test for line in reaching for test in lines.get(line, ())}
        near = near or {test for test in self.seconds if test.startswith(folders)}
        total: Counter[str] = Counter()
        for test in near:
            total[file_of(test)] += self.seconds[test]
        others = [test for test in self.seconds if test not in near]
        far = [
            each for each in others if file_of(each) in total or (each in self.starting and each.startswith(folders))
        ]
        return sorted(near, key=lambda test: (total[file_of(test)], file_of(test), self.seconds[test])), far

    def limit(self, tests: Sequence[str]) -> int:
        """CPU seconds after which tests hang."""
        return 60 + round(5 * sum(self.seconds[test] for test in tests))


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


def options() -> list[str]:
    """Options of pytest; the files of the tests lie beside the copy, since pytest is slow to clear its usual folder."""
    return ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={Path.cwd()}-files"]


def file_of(test: str) -> str:
    return test.partition("::")[0]


class Contexts:
    """Tells coverage.py which test runs; keeps the seconds of each test, and which start processes or fail."""

    def __init__(self, measured: "Coverage") -> None:
        self._measured = measured
        self.seconds: dict[str, float] = {}
        self.starting: list[str] = []
        self.failed: list[str] = []
        self._test = ""
        sys.addaudithook(self._note)

    def _note(self, event: str, _: object) -> None:
        if event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
            self.starting.append(self._test)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid
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


def reached(rooms: Sequence[str], folder: Path) -> Reached:
    """Run all tests of some packages, in a forked process, and note the lines that each of them reaches.

    Args:
        rooms: Packages.
        folder: Receives what the process measures.

    Raises:
        SystemExit: A test fails without a mutant.
    """
    from coverage import Coverage, CoverageData

    files = {"data_file": str(folder / "coverage"), "source": [str(SOURCE.resolve())]}
    child = os.fork()
    if child == 0:
        use(Path.cwd())
        measured = Coverage(**files, messages=False)
        contexts = Contexts(measured)
        measured.start()
        code = pytest.main([*options(), *sorted({test for room in rooms for test in ROOMS[room]})], plugins=[contexts])
        measured.stop()
        measured.save()
        found = [contexts.seconds, contexts.starting, contexts.failed]
        (folder / "tests.json").write_text(json.dumps(found), encoding="utf-8")
        os._exit(int(code))
    _, status = os.waitpid(child, 0)
    seconds, starting, failed = json.loads((folder / "tests.json").read_text(encoding="utf-8"))
    if status:
        raise SystemExit(f"fix the tests that fail without a mutant first: {' '.join(failed)}")
    data = CoverageData(files["data_file"])
    data.read()
    tests = {}
    for path in data.measured_files():
        lines = data.contexts_by_lineno(path)
        tests[Path(path).relative_to(Path.cwd())] = {line: {test for test in lines[line] if test} for line in lines}
    return Reached(seconds, set(starting), tests)


def tested(tests: Sequence[str], limit: int) -> tuple[int, str]:
    """Run tests in a forked process, up to the first failure.

    Args:
        tests: Files or names of tests.
        limit: CPU seconds.

    Returns:
        pytest's exit code, negative if a signal ended it, and the name of the failed test.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            os._exit(int(pytest.main([*options(), "-x", *tests], plugins=[Failures(writing)])))
        finally:
            os._exit(99)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        failed = stream.read().partition("\n")[0]
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), failed


class Failures:
    """Writes the names of failed tests to a pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os.write(self._pipe, f"{report.nodeid}\n".encode())

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            os.write(self._pipe, f"{report.nodeid}\n".encode())


@cache
def passes(test: str) -> bool:
    """Whether a test passes without a mutant."""
    return tested([test], tests_of.limit([test] if test in tests_of.seconds else list(tests_of.seconds)))[0] == 0


def verdict(mutant: Mutant, source: str) -> tuple[str, str]:
    """Whether a mutant is ``killed``, ``hangs`` (also killed) or ``survived``, and the test that killed it."""
    original = mutant.path.read_text(encoding="utf-8")
    for tests in tests_of.by(mutant):
        mutant.path.write_text(source, encoding="utf-8")
        try:
            code, failed = tested(tests, tests_of.limit(tests)) if tests else (0, "")
        finally:
            mutant.path.write_text(original, encoding="utf-8")
        if code < 0:
            return "hangs", failed
        if code:
            if not passes(failed):
                raise RuntimeError(f"{failed or tests} also fails without a mutant; fix it first")
            return "killed", failed
    return "survived", ""


def changed_lines(before: str, after: str) -> tuple[str, str]:
    """The changed lines, before and after."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return tuple(" / ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+")


def copy_checkout(folder: Path) -> None:
    """Copy all files that git would commit, with their uncommitted changes."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name)


def prepare() -> None:
    """Import slow modules once, for all processes forked from this one."""
    sys.path.insert(0, str(HERE / ".mutants"))
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    import h5py  # noqa: F401
    import hypothesis  # noqa: F401
    import pandas  # noqa: F401
    import scipy.stats  # noqa: F401
    import torch

    torch.set_num_threads(1)


def use(folder: Path) -> None:
    """Make this process and its children use a copy of the package."""
    os.chdir(folder)
    sys.path.insert(0, str(folder / "src"))
    os.environ["PYTHONPATH"] = str(folder / "src")


def begin(folder: Path, reached_by: Reached) -> None:
    """Give a worker its own copy, and what the tests reach."""
    global tests_of
    tests_of = reached_by
    own = Path(tempfile.mkdtemp(dir=folder))
    copy_checkout(own)
    use(own)


def judged(mutant: Mutant) -> dict[str, object]:
    """A mutant's row, without its number."""
    began, source = time.monotonic(), mutant.source()
    before, after = changed_lines(mutant.path.read_text(encoding="utf-8"), source)
    ended, test = verdict(mutant, source)
    module = str(mutant.path.relative_to(SOURCE))
    print(f"{ended} {time.monotonic() - began:.0f} s {module}:{mutant.line} {before} -> {after}", flush=True)
    row = [module, mutant.line, mutant.operator, ended, test, before, after]
    return dict(zip(COLUMNS[2:], row, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=200, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time")
    parser.add_argument("--output", type=Path, default=HERE / "results/mutants.csv", help="file for the results")
    chosen = parser.parse_args()
    output = chosen.output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as name, open(output, "w", encoding="utf-8", newline="") as stream:
        folder = Path(name)
        copy_checkout(folder / "unchanged")
        os.chdir(folder / "unchanged")
        prepare()
        lines = reached(chosen.rooms, folder)
        rows = csv.DictWriter(stream, COLUMNS)
        rows.writeheader()
        mutants = list(islice(drawn(chosen.rooms, chosen.seed), chosen.count))
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(chosen.jobs, mp_context=fork, initializer=begin, initargs=(folder, lines)) as pool:
            for number, row in enumerate(pool.map(judged, mutants), start=1):
                rows.writerow({"seed": chosen.seed, "number": number, **row})
                stream.flush()
                counts[row["module"].split("/")[0]][row["verdict"]] += 1
        os.chdir(HERE)
    for room, ends in counts.items():
        print(f"{room}: {sum(ends.values()) - ends['survived']} of {sum(ends.values())} killed")


if __name__ == "__main__":
    main()
