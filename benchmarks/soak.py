"""Disturb the pipeline at random for hours, and check that it ends with the results of an undisturbed copy.

python benchmarks/soak.py --hours 3 --seed 1 [--break triggers] [--begin FOLDER]

The project is the tiny one of the tests. Each round edits code or settings, removes a run, damages results at rest, and
runs ``make figures`` while jobs, Snakemake or the fork server are killed, or files cannot grow, as on a full disk. It
then does what the messages say until the same command succeeds and ``sharpest verify`` finds nothing wrong. The model:

* an edit makes exactly those jobs stale that ``tests/workflow/test_staleness.py`` lists;
* a run that was not killed fails only with lines that name a file and a remedy, and never with a traceback;
* after each round, every file equals that of a second copy with the same edits, which is never disturbed;
* at the end, it equals that of a third copy, made from nothing.

``benchmarks/results/soak-<seed>.csv`` has a row for each event. The exit status is 1 if the model failed; the folders
then stay. ``--break`` breaks the project on purpose, to show that the model can fail.
"""

import argparse
import csv
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from workflow.conftest import Project, write_tiny  # noqa: E402
from workflow.test_deaths import contents, processes, with_make  # noqa: E402
from workflow.test_staleness import MATRIX, stale_jobs  # noqa: E402

ONCE = [
    "the text of an error", "the learning rate of one run", "the length of one run", "the length of a branch",
    "the points of a schedule", "the number of gradients or alphas of a schedule", "an axis limit",
    "a figure's caption", "a table's caption", "a claim", "the scale's description", "a rule's memory or time limit",
]  # fmt: skip
REPEATED = [
    "a comment, in any module, script or rule", "a docstring", "an unused import", "the drawing of tables",
    "a newer timestamp on any source file", "the drawing of one kind of figure", "the rules of verdicts",
    "the code of the report page", "the measurement of directions", "the evaluation of end points", "one kind of data",
    "the decoding of one data set", "what a job prints, or records about its machine",
]  # fmt: skip
JOBS = ("train_run.py", "measure.py", "draw_figure.py", "judge_claims.py", "write_table.py", "write_report.py")
DISTURBANCES = ("job", "snakemake", "forkserver", "group", "ctrl-c", "disk", "none")
ATTEMPTS = 12  # runs until the messages must have led to an end
UNFINISHED = ("logs", "benchmarks", "work", "shards")
COLUMNS = ("seed", "round", "seconds", "event", "what", "outcome")


class ModelError(Exception):
    """The pipeline did what it must not do."""


class Copy(Project):
    """A copy of the project; Snakemake has all the time it needs, also for a dry run."""

    def snakemake(self, *arguments: str, prefix: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*prefix, sys.executable, "-m", "snakemake", *arguments], cwd=self.folder, env=environment(self), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


def environment(project: Project) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(project.folder / "src")}


def results_of(project: Project) -> Path:
    return project.folder / "results/tiny"


def finished(project: Project) -> list[Path]:
    """Finished files, in a fixed order."""
    results = results_of(project)
    files = (path for path in sorted(results.rglob("*")) if path.is_file())
    return [path for path in files if path.relative_to(results).parts[0] not in UNFINISHED]


def compared(project: Project) -> dict[str, Any]:
    """All that must be equal: arrays and attributes except clock times, tables, texts and pictures."""
    results = results_of(project)
    others = [path for path in finished(project) if path.suffix in (".md", ".tex", ".png")]
    return contents(results) | {str(path.relative_to(results)): path.read_bytes() for path in others}


def differences(project: Project, expected: Project) -> list[str]:
    found, wanted = compared(project), compared(expected)
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


def start(project: Project, *targets: str, limit: int | None = None) -> "subprocess.Popen[str]":
    """``make figures``, or snakemake with targets, in its own process group; its output goes to ``terminal``."""
    tools = Path(sys.executable).parent
    command = ["make", "figures", f"BIN={tools}", "CORES=2"]
    if targets:
        command = [str(tools / "snakemake"), "--workflow-profile", "workflow/profiles/local", "--cores", "2", *targets]

    def limit_files() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        command, cwd=project.folder, env=environment(project),
        start_new_session=True, stdout=open(project.folder / "terminal", "w"), stderr=subprocess.STDOUT, text=True,
        preexec_fn=limit_files,
    )  # fmt: skip


def run(project: Project, *targets: str) -> tuple[int, str]:
    """Run undisturbed; returns the exit status and the output."""
    status = start(project, *targets).wait()
    output = (project.folder / "terminal").read_text(errors="replace")
    if "Traceback" in output:
        raise ModelError(f"a traceback in {project.folder / 'terminal'}")
    return status, output


def must_run(project: Project) -> None:
    status, output = run(project)
    if status:
        raise ModelError(f"the undisturbed copy fails:\n{output}")


def errors(output: str) -> list[str]:
    """The errors of jobs, and those found before any job."""
    return re.findall(r"^error .*|(?<=:\n).*(?=\n  File )", output, re.MULTILINE)


def verified(project: Project) -> list[str]:
    """The lines of ``sharpest verify`` about wrong files."""
    result = subprocess.run(
        [sys.executable, "-m", "sharpest", "verify"], cwd=project.folder, capture_output=True, text=True,
        env=environment(project),
    )  # fmt: skip
    lines = [line for line in result.stdout.splitlines() if line.startswith("wrong: ")]
    if bool(lines) != bool(result.returncode):
        raise ModelError(f"sharpest verify: {result.stdout[-2000:]}{result.stderr}")
    return lines


# damage at rest: what happens to a file; some keep its time, as a restored backup does


def flip(path: Path, moments: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[moments.randrange(len(content))] ^= 1 << moments.randrange(8)
    path.write_bytes(content)


def cut(path: Path, moments: random.Random) -> None:
    os.truncate(path, moments.randrange(path.stat().st_size))


def remove(path: Path, moments: random.Random) -> None:
    path.unlink()


def swap(path: Path, moments: random.Random) -> None:
    """With another file of the same kind."""
    top = Path(*path.parts[: path.parts.index("tiny") + 2])
    other = moments.choice([each for each in sorted(top.rglob(f"*{path.suffix}")) if each != path] or [path])
    kept = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(kept)


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "flip": flip, "cut": cut, "remove": remove, "swap": swap,
}  # fmt: skip


class Soak:
    """Rounds of edits, damage and disturbed runs.

    Args:
        folder: Receives the copies of the project.
        seed: Of all that is random; moments of kills also depend on the machine's speed.
        table: The csv file of events.
        broken: What is broken on purpose, or None.
        begin: A finished tiny project to start from; None = make one.
    """

    def __init__(self, folder: Path, seed: int, table: Path, broken: str | None, begin: Path | None) -> None:
        self.random, self.seed, self.broken = random.Random(seed), seed, broken  # noqa: S311
        self.number, self.began, self.once = 0, time.monotonic(), list(ONCE)
        table.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(table, "w", newline="")  # noqa: SIM115 - open until the end
        self._table = csv.writer(self._file)
        self._table.writerow(COLUMNS)
        if begin is None:
            write_tiny(folder / "undisturbed")
        else:
            Project(begin).copy_without(folder / "undisturbed", ".venv")
        self.expected, self.project = Copy(folder / "undisturbed"), Copy(folder / "disturbed")
        must_run(with_make(self.expected))
        self.expected.copy_without(self.project.folder)
        if broken == "triggers":
            for path in (self.project.folder / "workflow/profiles").rglob("config.yaml"):
                path.write_text(path.read_text().replace("mtime, params", "mtime"))

    def log(self, event: str, what: str, outcome: str = "") -> None:
        row = (self.seed, self.number, round(time.monotonic() - self.began), event, what, outcome)
        self._table.writerow(row)
        self._file.flush()
        print(*row, flush=True)

    def round(self) -> None:
        """One round; raises ``ModelError``."""
        self.number += 1
        if self.random.random() < 0.8:
            self.edit()
        self.remove_run()
        for _ in range(self.random.randint(0, 3)):
            self.damage()
        for _ in range(self.random.randint(1, 3)):
            self.disturb(self.random.choice(DISTURBANCES))
        self.settle()
        if wrong := differences(self.project, self.expected):
            raise ModelError(f"differs from the undisturbed copy: {', '.join(wrong)}")
        self.log("compared", f"{len(finished(self.project))} files", "equal")

    def edit(self) -> None:
        """The same edit in both copies; what is stale must be what the tests list."""
        name = self.random.choice(self.once + REPEATED)
        if name in self.once:
            self.once.remove(name)
        change, expected = MATRIX[name]
        for project in (self.expected, self.project):
            change(project)
            stale = stale_jobs(project)
            if stale != expected:
                raise ModelError(f"{name}: stale in {project.folder} are {sorted(stale)}, not {sorted(expected)}")
        must_run(self.expected)
        self.log("edit", name, f"{len(expected)} jobs")

    def remove_run(self) -> None:
        """Remove all files of a run and all drawings, so that there are jobs to disturb."""
        results = results_of(self.project)
        run = self.random.choice(sorted(path.parent for path in (results / "runs").rglob("snapshots.h5")))
        name = run.relative_to(results / "runs")
        for folder in [*results.glob(f"*/{name}"), results / "figures"]:
            if folder.relative_to(results).parts[0] not in UNFINISHED:
                shutil.rmtree(folder)
        self.log("remove", f"{name} and all figures")

    def damage(self) -> None:
        """Damage a finished file, or saved work."""
        name = self.random.choice(list(DAMAGES))
        results = results_of(self.project)
        files = [path for path in finished(self.project) if path.stat().st_size]
        work = [path for path in sorted((results / "work").rglob("*")) if path.is_file() and path.stat().st_size]
        if work and self.random.random() < 0.5:
            files, name = work, self.random.choice(["flip", "cut", "remove"])
        path = self.random.choice(files)
        status, keeps_time = path.stat(), self.random.random() < 0.5
        self.log("damage", f"{name} {path.relative_to(results)}", "time kept" if keeps_time else "")
        DAMAGES[name](path, self.random)
        if keeps_time and path.exists():
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def disturb(self, victim: str) -> None:
        """Run everything, and kill a process at a random moment, or limit the size of files."""
        limit = int(2 ** self.random.uniform(13, 18)) if victim == "disk" else None
        command = start(self.project, limit=limit)
        killed = victim not in ("disk", "none") and self.kill(command, victim)
        status = command.wait()
        output = (self.project.folder / "terminal").read_text(errors="replace")
        if status and not killed and not errors(output):
            raise ModelError(f"failed without a line about the error:\n{output[-3000:]}")
        self.log("run", f"{victim} {limit or ''}".strip(), "killed" if killed else f"exit status {status}")

    def kill(self, command: "subprocess.Popen[str]", victim: str) -> bool:
        """Kill while a job runs; returns whether there was a victim."""
        while not (jobs := processes(self.project, *JOBS)):
            if command.poll() is not None:
                return False
            time.sleep(0.05)
        time.sleep(self.random.uniform(0, 6))
        if command.poll() is not None:
            return False
        if victim in ("group", "ctrl-c"):
            os.killpg(command.pid, signal.SIGINT if victim == "ctrl-c" else signal.SIGKILL)
            return True
        if victim == "job":
            victims = processes(self.project, *JOBS) or jobs
        elif victim == "snakemake":
            victims = processes(self.project, "snakemake")
        else:
            victims = [each for each in psutil.Process(command.pid).children(recursive=True) if is_forkserver(each)]
        with suppress(psutil.Error, IndexError):
            self.random.choice(victims).kill()
            return True
        return False

    def settle(self) -> None:
        """Give the same command and do what the messages say, until all is made and nothing is wrong."""
        targets: list[str] = []
        for _ in range(ATTEMPTS):
            status, output = run(self.project, *targets)
            targets = []
            lines = errors(output) if status else []
            if status and not lines:
                raise ModelError(f"failed without a line about the error:\n{output[-3000:]}")
            lines = lines or verified(self.project)
            for line in lines:
                self.follow(line)
            if lines:
                continue
            missing = sorted(
                str(path.relative_to(self.expected.folder))
                for path in finished(self.expected)
                if not (self.project.folder / path.relative_to(self.expected.folder)).exists()
            )
            if not missing:
                return
            # Snakemake makes a missing file only if something needs it
            self.log("missing", " ".join(missing), "requested")
            targets = ["--", *missing, "all"]
        raise ModelError(f"the messages lead to no end: {lines}")

    def follow(self, line: str) -> None:
        """Do what a message says: delete a file, or make it again."""
        named = re.match(r"(?:(?:error|wrong:) +(?:.* )?)?(results/tiny/[^ :]+): ", line)
        if again := re.search(r"--forcerun (\S+) -- (\S+)$", line):
            self.log("message", line, "made again")
            run(self.project, "--forcerun", again[1], "--", again[2])
        elif absent := re.search(r"make it with: snakemake --cores all (\S+)$", line):
            self.log("message", line, "made")
            run(self.project, "--", absent[1])
        elif named and "delete it" in line:
            self.log("message", line, "deleted")
            (self.project.folder / named[1]).unlink(missing_ok=True)
        else:
            raise ModelError(f"a message without a remedy: {line}")

    def from_nothing(self) -> None:
        """Make everything in a third copy."""
        fresh = self.project.copy_without(self.project.folder.with_name("fresh"), "results", ".snakemake")
        must_run(fresh)
        if wrong := differences(self.project, fresh):
            raise ModelError(f"differs from a copy made from nothing: {', '.join(wrong)}")
        self.log("compared", "copy made from nothing", "equal")


def is_forkserver(process: psutil.Process) -> bool:
    try:
        return "sharpest.pipeline.forkserver" in process.cmdline()
    except psutil.Error:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--break", dest="broken", choices=["triggers"])
    parser.add_argument("--begin", type=Path, metavar="FOLDER", help="a finished tiny project, instead of making one")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    name = f"soak-{options.seed}{'-' + options.broken if options.broken else ''}.csv"
    soak = Soak(folder, options.seed, ROOT / "benchmarks/results" / name, options.broken, options.begin)
    try:
        while time.monotonic() - soak.began < 3600 * options.hours:
            soak.round()
        soak.from_nothing()
    except ModelError as error:
        soak.log("failed", str(error), f"see {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
