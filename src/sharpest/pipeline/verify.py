"""Check every byte of a results folder, and what each file was made from."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sharpest.config.measures import declared, measure_names
from sharpest.errors import StoreError
from sharpest.pipeline.placed import marker, missing, read_bundle
from sharpest.results.abridged import LEFT_OUT
from sharpest.results.file import StoredFile
from sharpest.results.kinds import kinds_of_files
from sharpest.results.layout import MADE_FROM, Layout
from sharpest.results.paths import Paths
from sharpest.results.record import check_record, read_record, read_through
from sharpest.results.whole import present, remedy

_SHOWN = 12  # digits of a digest


class Correct(NamedTuple):
    """A file that was found right: its line in the list, and the device that made it, if it says so."""

    line: str
    device: str | None = None


def print_verified(folder: Path, listed: bool = False) -> int:
    """Print the errors, the verdict, and the devices if the files were made on several.

    Args:
        folder: Results folder of a scale, named after the scale.
        listed: Print a line per correct file first, with its digest and those of its sources.

    Returns:
        The exit status: 1 if any file is wrong.

    Raises:
        StoreError: If the folder does not exist, or has no results of a scale.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder} does not exist; name a folder of results, or --scale")
    if not _has_results(folder):
        scales = sorted(str(inner) for inner in folder.iterdir() if inner.is_dir() and _has_results(inner))
        raise StoreError(f"{folder}: has no results of a scale; name {' or '.join(scales) or 'the folder of a scale'}")
    correct, wrong = list[Correct](), list[str]()
    for check in checks(Paths(folder)):
        try:
            correct += check()
        except StoreError as error:
            wrong.append(str(error))
    if listed:
        print(*(file.line for file in correct), sep="\n")
    for error_line in wrong:
        print(f"wrong: {error_line}")
    print(f"{folder}: {len(correct)} correct files, {len(wrong)} wrong")
    devices = Counter(file.device for file in correct if file.device)
    if len(devices) > 1:
        made = "; ".join(f"{count} on {device}" for device, count in devices.most_common())
        print(f"made on several devices, whose bits may differ: {made}")
    return int(bool(wrong))


def _has_results(folder: Path) -> bool:
    paths = Paths(folder)
    return any(kind_of(paths, path) for path in folder.rglob(paths.data("*").name))


def checks(paths: Paths) -> Iterator[Callable[[], list[Correct]]]:
    """A check for each file of a scale: it gives the files that it finds right.

    Each raises a StoreError if a file is not what it should be.
    """
    yield from _stored(paths)
    yield from _recorded(paths)
    if bundle := read_bundle(paths):
        for complaint in missing(bundle, paths):
            yield partial(_refuse, complaint)


def _stored(paths: Paths) -> Iterator[Callable[[], list[Correct]]]:
    """A check for each HDF5 file, except files of unfinished jobs."""
    for path in sorted(paths.folder.rglob(paths.data("*").name)):
        if kind := kind_of(paths, path):
            yield partial(_check_stored, paths, path, *kind)
        elif not is_unfinished(paths, path):
            yield partial(_refuse, f"{path}: this version of the code writes no such file; remove it")


def is_unfinished(paths: Paths, path: Path) -> bool:
    """Whether a path is in the folder of a job that goes on."""
    jobs_own = (paths.work("r"), paths.shard("m", "r", "s", 0))
    return paths.place(path).partition("/")[0] in {paths.place(own).partition("/")[0] for own in jobs_own}


def kind_of(paths: Paths, path: Path) -> tuple[list[Layout], dict[str, str]] | None:
    """The layouts that a file may have by its place, and the run and schedule it has to be of; None = no kind."""
    kinds = [(layout, place.relative_to(Paths.of("<scale>").folder)) for layout, place in kinds_of_files()]
    parts = path.relative_to(paths.folder).parts
    run, layouts = "/".join(parts[1:-1]), [layout for layout, place in kinds if place.parts[0] == parts[0]]
    if path == paths.data(path.stem):
        return layouts, {}
    if path == paths.snapshots(run):
        return layouts, {"run": run}
    if parts[0] in measure_names():
        return [declared(parts[0]).layout], {"run": run, "schedule": path.stem}
    return None


def _check_stored(paths: Paths, path: Path, layouts: list[Layout], expected: Mapping[str, str]) -> list[Correct]:
    file = read_checked(paths, path, layouts, expected)
    left_out = ", ".join(file.attributes.get(LEFT_OUT, ()))
    line = _line(paths, path, file.digest, file.attributes.get(MADE_FROM, {}))
    return [Correct(line + f" ({left_out} not in the bundle)" * bool(left_out), file.attributes.get("device"))]


def read_checked(paths: Paths, path: Path, layouts: list[Layout], expected: Mapping[str, str]) -> StoredFile:
    """Read a file to its end, and check that it is of its run, and made from what is there; layouts as of its kind.

    Raises:
        StoreError: If it is not what it should be.
    """
    file = read_through(path, layouts)
    if expected:
        check_record(path, file.attributes, paths, **expected)
    return file


def _recorded(paths: Paths) -> Iterator[Callable[[], list[Correct]]]:
    """A check for each record of finished files, and an error for each csv file without a record."""
    for path in sorted(paths.folder.rglob(paths.made("*.csv").name)):
        yield partial(_check_recorded, paths, path)
    for path in sorted(paths.folder.rglob("*.csv")):
        if not paths.made(path).exists() and paths.data("").parent not in path.parents:
            yield partial(_refuse, f"{path}: has no record; {remedy(path)}")


def _check_recorded(paths: Paths, path: Path) -> list[Correct]:
    record = read_record(path)
    beside = {file for file in path.parent.iterdir() if file != path and paths.made(file) == path}
    files = sorted(beside | {paths.folder / place for place in record["files"]})
    for file in files:
        check_record(present(file), record, paths)
    return [Correct(_line(paths, file, record["files"][paths.place(file)], record[MADE_FROM])) for file in files]


def _refuse(text: str) -> list[Correct]:
    raise StoreError(text)


def _line(paths: Paths, path: Path, digest: str, made_from: Mapping[str, str]) -> str:
    """A line with a file, its digest, and its sources."""
    absent = " (not in the bundle)" if marker(paths).exists() else " (missing)"
    sources = ", ".join(
        f"{place} {known[:_SHOWN]}{absent * (not (paths.folder / place).exists())}"
        for place, known in made_from.items()
    )
    return f"{paths.place(path)} {digest[:_SHOWN]}" + f" from {sources}" * bool(sources)
