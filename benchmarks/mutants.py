"""Break the code in random places, one at a time, and check whether a test fails: ``python benchmarks/mutants.py 200``.

The operators are those of cosmic-ray; type annotations, which no test needs to check, are not mutated. A mutant runs
test files for some time, the nearest to its module first: those that import it, then those that import a module that
imports it, and so on; of equally near files, those of its package come first. Tests of the workflow are left out.
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
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

SOURCE = Path("src/sharpest")
TESTS = [Path("tests") / folder for folder in ("unit", "property", "oracle", "gpu")]
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
    paths = sorted(path for path in SOURCE.rglob("*.py") if not rooms or room_of(path) in rooms)
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]
    while True:
        if places := places_of(rng.choices(paths, lines)[0]):
            mutant = rng.choice(rng.choice(places))
            if mutant not in seen:
                seen.add(mutant)
                yield mutant


def room_of(path: Path) -> str:
    """The package of a module, or the name of a module that is in none."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def imported(path: Path) -> frozenset[Path]:
    """The modules of the package that a file imports or names, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update((node.module, *(f"{node.module}.{alias.name}" for alias in node.names)))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):  # sharpest.watch(...)
            names.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # named in a registry, or patched
            names.update((node.value.partition(":")[0], node.value.rpartition(".")[0]))
    return frozenset(found for name in names for found in files_of(name))


def files_of(name: str) -> list[Path]:
    first, *parts = name.split(".")
    if first != "sharpest" or "/" in name:
        return []
    place = SOURCE.joinpath(*parts)
    return [each for each in (place.with_suffix(".py"), place / "__init__.py") if parts and each.is_file()]


@cache
def test_files() -> list[Path]:
    return sorted(path for folder in TESTS for path in folder.rglob("test_*.py"))


def nearest(path: Path) -> list[str]:
    """All test files that lead to a module, the nearest first."""
    steps, found, edge = {path: 0}, {}, [path]
    sources = list(SOURCE.rglob("*.py"))
    while edge:
        edge = [each for each in sources if each not in steps and imported(each) & set(edge)]
        steps |= dict.fromkeys(edge, max(steps.values()) + 1)
    own = f"tests/unit/{room_of(path)}/"
    for test in test_files():
        reached = [steps[each] for each in imported(test) if each in steps]
        # a module may be found by a computed name, as a net is
        if reached or str(test).startswith(own):
            found[test] = min(reached, default=1)

    def key(test: Path) -> tuple[object, ...]:
        named = path.parent.name in test.stem or path.stem in test.stem
        return found[test], not str(test).startswith(own), not named, test.stat().st_size

    return list(map(str, sorted(found, key=key)))


def options() -> list[str]:
    """Options of pytest; the files of the tests lie beside the copy, since pytest is slow to clear its usual folder."""
    return ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={Path.cwd()}-files"]


def tested(tests: Iterable[str], most: float) -> tuple[int, str]:
    """Run tests in a forked process, up to the first failure.

    Args:
        tests: Files or names of tests, each started while CPU seconds are left.
        most: CPU seconds; a test that takes 60 more hangs.

    Returns:
        pytest's exit code, negative if a signal ended it, and the name of the failed test.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code, began = 0, time.process_time()
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (round(began + most) + 60, round(began + most) + 65))
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            for test in tests:
                left = most - time.process_time() + began
                deselected = [f"--deselect={each}" for each in flawed]
                code = int(pytest.main([*options(), *deselected, test], plugins=[Watch(writing, left)]))
                code = 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code
                if code or left <= 0:
                    break
            os._exit(code)
        finally:
            os._exit(99)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        failed = stream.read().partition("\n")[0]
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), failed


class Watch:
    """Writes the names of failed tests to a pipe, and skips tests once the time is over."""

    def __init__(self, pipe: int, left: float) -> None:
        self._pipe, self._end = pipe, time.process_time() + left

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if time.process_time() > self._end:
            pytest.skip("no time is left")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os.write(self._pipe, f"{report.nodeid}\n".encode())

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            os.write(self._pipe, f"{report.nodeid}\n".encode())


@cache
def passes(test: str) -> bool:
    """Whether a test passes without a mutant."""
    return tested([test], 60)[0] == 0


def verdict(mutant: Mutant, source: str) -> tuple[str, str]:
    """Whether a mutant is ``killed``, ``hangs`` (also killed) or ``survived``, and the test that killed it."""
    original = mutant.path.read_text(encoding="utf-8")
    tests = nearest(mutant.path)
    while True:
        mutant.path.write_text(source, encoding="utf-8")
        try:
            code, failed = tested(tests, seconds_of_tests)
        finally:
            mutant.path.write_text(original, encoding="utf-8")
        if code <= 0:
            return ("hangs" if code else "survived"), failed
        if failed and not passes(failed):  # as some do in a copy, which is no repository
            flawed.add(failed)
            continue
        return "killed", failed


flawed: set[str] = set()
"""Tests that fail without a mutant; they are left out."""


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
    import matplotlib.pyplot  # noqa: F401
    import pandas  # noqa: F401
    import pydantic  # noqa: F401
    import scipy.stats  # noqa: F401
    import torch
    import torch.func
    import yaml  # noqa: F401

    torch.set_num_threads(1)


def use(folder: Path) -> None:
    """Make this process and its children use a copy of the package."""
    os.chdir(folder)
    sys.path.insert(0, str(folder / "src"))
    os.environ["PYTHONPATH"] = str(folder / "src")


def begin(folder: Path, most: float) -> None:
    """Give a worker its own copy, and the CPU seconds of tests for each mutant."""
    global seconds_of_tests
    seconds_of_tests = most
    own = Path(tempfile.mkdtemp(dir=folder)) / "copy"
    shutil.copytree(folder / "unchanged", own)  # the checkout may have changed since the mutants were drawn
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
    parser.add_argument("--rooms", nargs="+", default=[], help="packages; all by default")
    parser.add_argument("--after", type=int, default=0, help="leave out as many of the first mutants of the seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at a time")
    parser.add_argument("--seconds", type=float, default=30, help="CPU seconds of tests for each mutant")
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
        rows = csv.DictWriter(stream, COLUMNS)
        rows.writeheader()
        mutants = list(islice(drawn(chosen.rooms, chosen.seed), chosen.after, chosen.after + chosen.count))
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(
            chosen.jobs, mp_context=fork, initializer=begin, initargs=(folder, chosen.seconds)
        ) as pool:
            for number, row in enumerate(pool.map(judged, mutants), start=chosen.after + 1):
                rows.writerow({"seed": chosen.seed, "number": number, **row})
                stream.flush()
                counts[room_of(SOURCE / row["module"])][row["verdict"]] += 1
        os.chdir(HERE)
    for room, ends in counts.items():
        print(f"{room}: {ends['killed'] + ends['hangs']} of {sum(ends.values())} killed")


if __name__ == "__main__":
    main()
