"""Check every byte of a results folder, and print what each file was made from."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from sharpest.config.measures import declared, measure_names
from sharpest.errors import StoreError
from sharpest.results.identity import check_stored
from sharpest.results.kinds import kinds_of_files
from sharpest.results.layout import MADE_FROM, Layout
from sharpest.results.made import again, check_recorded, read_made
from sharpest.results.paths import Paths
from sharpest.results.verified import read_through

_SHOWN = 12  # digits of a digest


def print_verified(folder: Path) -> int:
    """Print a line per file with its digest and those of its sources, then the errors.

    Args:
        folder: Results folder of a scale, named after the scale.

    Returns:
        The exit status: 1 if any file is wrong.

    Raises:
        StoreError: If the folder does not exist.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder} does not exist; name a folder of results, or --scale")
    paths, errors, count = Paths(folder), list[str](), 0
    for check in (*_stored(paths), *_recorded(paths)):
        try:
            for line in check():
                print(line)
                count += 1
        except StoreError as error:
            errors.append(str(error))
    for text in errors:
        print(f"wrong: {text}")
    print(f"{folder}: {count} files are correct, {len(errors)} are not")
    return int(bool(errors))


def _stored(paths: Paths) -> Iterator[Callable[[], list[str]]]:
    """A check for each HDF5 file, except files of unfinished jobs."""
    kinds = [(layout, place.relative_to(Paths.of("<scale>").folder)) for layout, place in kinds_of_files()]
    jobs_own = (paths.work("r"), paths.shard("m", "r", "s", 0))
    unfinished = {paths.place(path).partition("/")[0] for path in jobs_own}
    for path in sorted(paths.folder.rglob(paths.data("*").name)):
        parts = path.relative_to(paths.folder).parts
        run, layouts = "/".join(parts[1:-1]), [layout for layout, place in kinds if place.parts[0] == parts[0]]
        if path == paths.data(path.stem):
            yield partial(_check_stored, paths, path, layouts, {})
        elif path == paths.snapshots(run):
            yield partial(_check_stored, paths, path, layouts, {"run": run})
        elif parts[0] in measure_names():
            expected = {"run": run, "schedule": path.stem}
            yield partial(_check_stored, paths, path, [declared(parts[0]).layout], expected)
        elif parts[0] not in unfinished:
            yield partial(_refuse, f"{path}: this version of the code writes no such file; remove it")


def _check_stored(paths: Paths, path: Path, layouts: list[Layout], expected: Mapping[str, str]) -> list[str]:
    file = read_through(path, layouts)
    if expected:
        check_stored(path, file.attributes, paths, **expected)
    return [_line(paths, path, file.digest, file.attributes.get(MADE_FROM, {}))]


def _recorded(paths: Paths) -> Iterator[Callable[[], list[str]]]:
    """A check for each record of finished files, and an error for each csv file without a record."""
    for path in sorted(paths.folder.rglob(paths.made("*.csv").name)):
        yield partial(_check_recorded, paths, path)
    for path in sorted(paths.folder.rglob("*.csv")):
        if not paths.made(path).exists() and paths.data("").parent not in path.parents:
            yield partial(_refuse, f"{path}: has no record; {again(path)}")


def _check_recorded(paths: Paths, path: Path) -> list[str]:
    record = read_made(path)
    files = [paths.folder / place for place in record["files"]]
    return [_line(paths, file, check_recorded(file, record, paths), record[MADE_FROM]) for file in files]


def _refuse(text: str) -> list[str]:
    raise StoreError(text)


def _line(paths: Paths, path: Path, digest: str, made_from: Mapping[str, str]) -> str:
    """A line with a file, its digest, and its sources."""
    sources = ", ".join(
        f"{place} {digest[:_SHOWN]}{' (missing)' * (not (paths.folder / place).exists())}"
        for place, digest in made_from.items()
    )
    return f"{paths.place(path)} {digest[:_SHOWN]}" + f" from {sources}" * bool(sources)
