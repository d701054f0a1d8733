"""Break the code in random places, one at a time, and check whether a test fails: ``python benchmarks/mutants.py 200``.

The operators are those of cosmic-ray; type annotations, which no test needs to check, are not mutated. All tests run
once without a mutant, and coverage.py notes which lines each of them reaches; the next call reads this again if code
and tests are the same. A mutant runs tests for some time: those that reach its line, then the others of its package.
Everything happens in copies of the checkout, one for each job, in processes forked from one that has already imported
the slow modules.
"""

import argparse
import ast
import csv
import difflib
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

import pytest
from reached import ROOMS, SOURCE, Reached, options, reached, use

HERE = Path(__file__).parent
CHECKOUT = HERE.parent
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
    tests = tests_of.of(mutant.path, mutant.line, seconds_of_tests)
    mutant.path.write_text(source, encoding="utf-8")
    try:
        code, failed = tested(tests, tests_of.limit(tests))
    finally:
        mutant.path.write_text(original, encoding="utf-8")
    if code == 0:
        return "survived", ""
    if code < 0:
        return "hangs", failed
    if not passes(failed or tests[0]):  # no test is named if none could be collected
        raise RuntimeError(f"{failed or tests[0]} also fails without a mutant; fix it first")
    return "killed", failed


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


def begin(folder: Path, reached_by: Reached, most: float) -> None:
    """Give a worker its own copy, what the tests reach, and the seconds of tests for each mutant."""
    global tests_of, seconds_of_tests
    tests_of, seconds_of_tests = reached_by, most
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
    parser.add_argument("--seconds", type=float, default=60, help="of tests for each mutant")
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
        lines = reached(chosen.rooms, HERE / "results/reached")
        rows = csv.DictWriter(stream, COLUMNS)
        rows.writeheader()
        mutants = list(islice(drawn(chosen.rooms, chosen.seed), chosen.count))
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(
            chosen.jobs, mp_context=fork, initializer=begin, initargs=(folder, lines, chosen.seconds)
        ) as pool:
            for number, row in enumerate(pool.map(judged, mutants), start=1):
                rows.writerow({"seed": chosen.seed, "number": number, **row})
                stream.flush()
                counts[row["module"].split("/")[0]][row["verdict"]] += 1
        os.chdir(HERE)
    for room, ends in counts.items():
        print(f"{room}: {sum(ends.values()) - ends['survived']} of {sum(ends.values())} killed")


if __name__ == "__main__":
    main()
