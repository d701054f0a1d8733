"""A results folder of another version of the code is refused before anything is remade."""

from pathlib import Path

import h5py
import pytest
from results_folder import ResultsFolder
from sealed import changed

from sharpest.errors import StoreError
from sharpest.results.paths import Paths
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.results.versions import check_version

RUNS = ("a-run", "a-run@e4/notop", "b-run")
OLDER, SAME, NEWER = SNAPSHOTS.version - 1, SNAPSHOTS.version, SNAPSHOTS.version + 1


def write(path: Path, *versions: object, runs: tuple[str, ...] = RUNS) -> Paths:
    """A folder whose runs are of the given versions."""
    folder = ResultsFolder(path / "quick")
    for run, version in zip(runs, versions, strict=False):
        with changed(folder.write_snapshots(run, {"t": 1}, {})) as file:
            file.attrs["version"] = version
    return folder.paths


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_version_is_accepted(tmp_path: Path) -> None:
    check_version(write(tmp_path, SAME, SAME, SAME))


@pytest.mark.parametrize("folder", ["", "runs", "runs/a-run", "spectra/a-run"])
def test_a_folder_without_states_is_accepted(tmp_path: Path, folder: str) -> None:
    (tmp_path / "quick" / folder).mkdir(parents=True)
    check_version(Paths(tmp_path / "quick"))
    check_version(Paths(tmp_path / "nowhere"))


def refusal(paths: Paths) -> str:
    """One line; every file stays unchanged."""
    before = contents(paths.folder)
    with pytest.raises(StoreError) as caught:
        check_version(paths)
    assert contents(paths.folder) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_older_version_should_be_moved_aside(tmp_path: Path) -> None:
    paths = write(tmp_path, OLDER, OLDER)
    assert refusal(paths) == (
        f"{paths.folder}: was written by an older version of the code "
        f"(snapshots version {OLDER}, this one has {SAME}), "
        "and its runs would be trained again; "
        f"keep it with: mv {paths.folder} {paths.folder}-snapshots{OLDER}, or give "
        "snakemake another --directory; nothing was changed"
    )


def test_a_newer_version_requires_the_code_that_wrote_it(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, NEWER))
    assert f"by a newer version of the code (snapshots version {NEWER}, this one has {SAME})" in message
    assert "; use that version of the code, or give snakemake another --directory; nothing was changed" in message
    assert "mv " not in message


def test_states_of_a_branch_alone_tell_the_version_too(tmp_path: Path) -> None:
    assert f"snapshots version {OLDER}" in refusal(write(tmp_path, OLDER, runs=("a-run@e4/notop",)))


@pytest.mark.parametrize("damage", ["no HDF5", "truncated", "empty", "without a version", "a text"])
def test_a_damaged_file_is_left_to_the_jobs_that_read_it(tmp_path: Path, damage: str) -> None:
    """It neither stops planning nor hides the version of the others."""
    paths = write(tmp_path, SAME)
    path = paths.snapshots(RUNS[0])
    whole = path.read_bytes()
    if damage in ("without a version", "a text"):
        with h5py.File(path, "r+") as file:
            file.attrs["version"] = "three"
            if damage == "without a version":
                del file.attrs["version"]
    else:
        path.write_bytes({"no HDF5": b"no HDF5", "truncated": whole[: len(whole) // 2], "empty": b""}[damage])
    check_version(paths)
    # whatever the order of the folder's files, one of these comes before the intact one
    for number in range(20):
        copy = paths.snapshots(f"run-{number}")
        copy.parent.mkdir()
        copy.write_bytes(path.read_bytes())
    check_version(paths)
    write(tmp_path, OLDER, runs=("b-run",))
    assert f"snapshots version {OLDER}" in refusal(paths)
