"""What must hold before Snakemake plans; each obstacle gives one line with the remedy."""

import os
import re
import resource
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TextIO

import pytest

from sharpest.errors import SharpestError, StoreError
from sharpest.pipeline import preconditions
from sharpest.pipeline.preconditions import (
    LOCK,
    check_braces,
    check_dry_run,
    check_imported,
    check_records,
    check_room,
    check_variables,
    hold_folders,
    only_reads,
)
from sharpest.results.paths import Paths

RUN = "net-data-sgd-lr0.5-S32-s0"
PATHS = Paths.of("tiny")
PRECISION = ["ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"]


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> list[TextIO]:
    """The locks that a test holds; they are free when it ends, or clears the list."""
    locks: list[TextIO] = []
    monkeypatch.setattr(preconditions, "_held", locks)
    return locks


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, without variables that are refused."""
    monkeypatch.chdir(tmp_path)
    for name in ("PYTHONWARNINGS", *PRECISION):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Folder -> the permissions that are missing there; also for root, whom file modes do not stop."""
    missing: dict[str, int] = {}
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: access(path, mode) and not missing.get(str(path), 0) & mode)
    return missing


def line_of(place: str, done: str) -> str:
    """A pattern of the message on a folder."""
    return f"^{re.escape(place)} cannot be {done}; correct its permissions, or start snakemake with --directory FOLDER$"


def holder_of(path: str) -> "subprocess.Popen[bytes]":
    """Another process that holds a lock."""
    code = f"from pathlib import Path; from sharpest.pipeline.preconditions import hold; hold(Path({path!r})); print()"
    command = [sys.executable, "-c", f"{code}; input()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_braces_in_the_path_are_refused() -> None:
    check_braces(Path("/home/me"))
    for path in ("/home/{me}", "/home/a}b"):
        with pytest.raises(SharpestError, match=f"^{path}: Snakemake takes braces in its path for wildcards; rename"):
            check_braces(Path(path))


def test_a_dry_run_needs_a_folder_for_its_records(folder: Path, denied: dict[str, int]) -> None:
    check_dry_run()
    denied["."] = os.W_OK
    with pytest.raises(SharpestError, match=line_of(str(folder), "written")):
        check_dry_run()
    (folder / ".snakemake/iocache").mkdir(parents=True)
    check_dry_run()
    denied[".snakemake/iocache"] = os.W_OK
    with pytest.raises(SharpestError, match=line_of(f"{folder}/.snakemake/iocache", "written")):
        check_dry_run()


@pytest.mark.parametrize("name", PRECISION)
def test_variables_that_round_are_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for allowed in ("", "0", "strict", "STRICT"):
        monkeypatch.setenv(name, allowed)
        check_variables()
    for value in ("BF16", "ANY", "1"):
        monkeypatch.setenv(name, value)
        with pytest.raises(SharpestError, match=f"^{name}={value} lets torch compute .* float32; unset {name}$"):
            check_variables()


@pytest.mark.parametrize("value", ["error", "default,error::UserWarning"])
def test_warnings_as_errors_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """And are off from then on, so that the end of Snakemake does not fail."""
    monkeypatch.setenv("PYTHONWARNINGS", value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SharpestError, match=r"^PYTHONWARNINGS=error turns .*; unset PYTHONWARNINGS$"):
            check_variables()
        warnings.warn("at the end", stacklevel=1)


def test_other_warnings_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    check_variables()


@pytest.mark.parametrize("place", [".snakemake", ".snakemake/metadata"])
@pytest.mark.parametrize("mode", [os.R_OK, os.X_OK])
def test_records_that_cannot_be_read_are_named(folder: Path, denied: dict[str, int], place: str, mode: int) -> None:
    check_records()  # there are none yet
    (folder / ".snakemake/metadata").mkdir(parents=True)
    check_records()
    denied[place] = mode
    with pytest.raises(SharpestError, match=line_of(str(folder / place), "read")):
        check_records()


def test_records_behind_a_broken_link_are_named(folder: Path) -> None:
    Path(".snakemake").symlink_to("nowhere")
    with pytest.raises(SharpestError, match=line_of(str(folder / "nowhere"), "read")):
        check_records()


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (".snakemake", ""),
        (".snakemake/locks", ""),
        ("results/tiny", "results folder "),
        ("results/tiny/runs/a", "results folder "),
    ],
)
def test_folders_that_cannot_be_written_are_named(
    folder: Path, held: list[TextIO], denied: dict[str, int], place: str, kind: str
) -> None:
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / "results/tiny/runs/a").mkdir(parents=True)
    denied[place] = os.W_OK
    with pytest.raises(SharpestError, match=line_of(f"{kind}{folder / place}", "written")):
        hold_folders(PATHS)
    assert not (folder / "results/tiny/work").exists()
    denied.clear()
    held.clear()
    hold_folders(PATHS)


def test_the_folder_that_results_will_be_in_must_be_writable(folder: Path, denied: dict[str, int]) -> None:
    denied["."] = os.W_OK
    with pytest.raises(SharpestError, match=line_of(f"results folder {folder}", "written")):
        hold_folders(PATHS)


def test_other_scales_need_not_be_writable(folder: Path, denied: dict[str, int]) -> None:
    for scale in ("tiny", "paper"):
        (folder / "results" / scale).mkdir(parents=True)
    denied.update({"results": os.W_OK, "results/paper": os.W_OK})
    hold_folders(PATHS)


def test_linked_parts_need_not_be_writable(folder: Path, denied: dict[str, int]) -> None:
    """Someone else trained; drawings go here."""
    (folder / "shared/runs").mkdir(parents=True)
    (folder / "results/tiny").mkdir(parents=True)
    (folder / "results/tiny/runs").symlink_to(folder / "shared/runs")
    denied.update({"results/tiny/runs": os.W_OK, str(folder / "shared/runs"): os.W_OK})
    hold_folders(PATHS)


@pytest.mark.parametrize(("lock", "named"), [(str(LOCK), "."), ("results/tiny/work/lock", "results/tiny")])
def test_folders_in_which_another_snakemake_works_are_refused(
    folder: Path, held: list[TextIO], lock: str, named: str
) -> None:
    holder = holder_of(lock)
    try:
        line = (
            rf"another snakemake is running in {re.escape(str((folder / named).resolve()))} \(process {holder.pid} on "
        )
        with pytest.raises(SharpestError, match=line):
            hold_folders(PATHS)
    finally:
        holder.kill()
        holder.wait()
    held.clear()
    hold_folders(PATHS)


def test_a_disk_without_room_for_the_rules(tmp_path: Path) -> None:
    rules = [tmp_path / "small.smk", tmp_path / "large.smk"]
    for path, size in zip(rules, (10, 20_000), strict=True):
        path.write_bytes(bytes(size))
    cache = tmp_path / "cache"
    cache.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (19_999, limits[1]))
    try:
        with pytest.raises(SharpestError, match=rf"^{cache}: Snakemake cannot copy its rules there \(File too large\)"):
            check_room(cache, rules)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    check_room(cache, rules)
    assert not list(cache.iterdir())


def test_folders_stay_locked() -> None:
    hold_folders(PATHS)
    code = (
        "from sharpest.pipeline.preconditions import hold_folders; from sharpest.results.paths import Paths; "
        "hold_folders(Paths.of('tiny'))"
    )
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert second.returncode != 0
    assert f"(process {os.getpid()} on " in second.stderr


def test_imported_runs_without_states_are_named(folder: Path) -> None:
    path = PATHS.snapshots(RUN)
    check_imported([], PATHS)
    with pytest.raises(StoreError, match=f"^{re.escape(str(path))} of imported run {re.escape(RUN)} is missing; run "
                       "sharpest import again, or delete the scale$"):  # fmt: skip
        check_imported([RUN], PATHS)
    path.parent.mkdir(parents=True)
    path.touch()
    check_imported([RUN], PATHS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--cores", "2", "all"], False), (["--touch", "all"], False), (["--unlock"], False),
        (["--report-after-run", "all"], False), (["--lint"], True), (["--summary"], True), (["-D"], True),
        (["all", "--report=page.html"], True), (["--list-changes", "code"], True), ([], False),
    ],
)  # fmt: skip
def test_which_arguments_change_nothing(arguments: list[str], expected: bool) -> None:
    assert only_reads(arguments) == expected
