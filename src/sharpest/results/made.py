"""Records of finished files other than HDF5: digests of their content, and of the files they were made from.

``history.made.json`` lies beside ``history.csv``, ``fig06.made.json`` beside the csv, png and pdf of a figure.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sharpest.errors import StoreError
from sharpest.results.identity import changed_source
from sharpest.results.paths import Paths, is_inside
from sharpest.results.whole import digest_of, present, written_whole


def write_made(paths: Paths, files: Iterable[str | Path], made_from: Mapping[str, str]) -> None:
    """Write the record of finished files beside the first of them.

    Args:
        paths: Paths of the scale.
        files: Files that were made together.
        made_from: Digests of their sources, by path relative to the folder of the scale.

    Raises:
        StoreError: If it cannot be written.
    """
    written = [Path(path) for path in files]
    record = {
        "scale": paths.folder.name,
        "files": {paths.place(path): digest_of(path) for path in written},
        "made_from": dict(made_from),
    }
    with written_whole(paths.made(written[0])) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_made(path: Path) -> dict[str, Any]:
    """The record of finished files: ``scale``, ``files`` and ``made_from``.

    Raises:
        StoreError: If it is missing or damaged.
    """
    try:
        record = json.loads(present(path).read_bytes())
        if outside := [place for place in (*record["files"], *record["made_from"]) if not is_inside(place)]:
            raise ValueError(f"it names {outside[0]!r}")
        return {
            "scale": str(record["scale"]),
            "files": {str(place): str(digest) for place, digest in record["files"].items()},
            "made_from": {str(place): str(digest) for place, digest in record["made_from"].items()},
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StoreError(f"{path}: is not a record of finished files of this folder ({error}); {again(path)}") from None


def check_made(path: Path, paths: Paths) -> str:
    """Check a file against its record, and the record against the present sources; return the file's digest.

    Raises:
        StoreError: If the file was changed or replaced, or one of its sources was.
    """
    return check_recorded(path, read_made(paths.made(present(path))), paths)


def check_recorded(path: Path, record: Mapping[str, Any], paths: Paths) -> str:
    """``check_made`` with a record that was read before."""
    if record["scale"] != paths.folder.name:
        raise StoreError(f"{path}: belongs to scale {record['scale']!r}, expected {paths.folder.name!r}; {again(path)}")
    digest, recorded = digest_of(path), record["files"].get(paths.place(path))
    if digest != recorded:
        raise StoreError(f"{path}: has changed since it was written (its digest differs); {again(path)}")
    if source := changed_source(record["made_from"], paths):
        raise StoreError(f"{path}: was made from another {source} than is there now; {again(path)}")
    return digest


def again(path: Path) -> str:
    """The command that makes a file again, with the files made together with it."""
    return f"make it again with: snakemake --cores all --forcerun {path} -- {path}"
