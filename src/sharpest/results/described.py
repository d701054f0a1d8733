"""Layouts read from a file itself, for readers that do not know the measure that wrote it."""

from pathlib import Path

import h5py

from sharpest.errors import StoreError
from sharpest.results.checksum import verify
from sharpest.results.file import TOGETHER
from sharpest.results.layout import Dataset, Layout
from sharpest.results.whole import present


def layouts_in(path: str | Path) -> dict[str, Layout]:
    """The layouts of a file, by name: one, or several in a combined file.

    Raises:
        StoreError: If the file is missing or damaged, or does not describe its content.
    """
    try:
        verify(path)
        with h5py.File(path, "r", locking=False) as file:
            parts = list(file.values()) if file.attrs.get("layout") == TOGETHER else [file]
            return {layout.name: layout for layout in map(_described, parts)}
    except FileNotFoundError:
        present(Path(path))
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: {error}; make it again") from None


def layout_in(path: str | Path, kind: str | None = None) -> Layout:
    """One layout of a file.

    Args:
        path: The file.
        kind: Name of the layout; None = the only one.

    Raises:
        StoreError: See ``layouts_in``; also if the file does not have the layout, or has several and none is named.
    """
    layouts = layouts_in(path)
    if kind is None and len(layouts) == 1:
        return next(iter(layouts.values()))
    if kind not in layouts:
        hint = "say which is meant with its kind" if kind is None else f"and no {kind}"
        raise StoreError(f"{path}: holds {', '.join(layouts)}; {hint}")
    return layouts[kind]


def _described(part: h5py.Group) -> Layout:
    """The layout that a part of a file describes, with its arrays in alphabetical order."""
    datasets = []
    for name, array in part.items():
        dims = tuple(dimension.label for dimension in array.dims)
        if not all(dims):
            raise ValueError(f"does not name the dimensions of {name}: it was written by an older version of the code")
        datasets.append(Dataset(name, array.dtype.str, dims, array.attrs["unit"], array.attrs["meaning"]))
    attributes = tuple(name for name in part.attrs if name not in ("layout", "version"))
    return Layout(str(part.attrs["layout"]), int(part.attrs["version"]), tuple(datasets), attributes)
