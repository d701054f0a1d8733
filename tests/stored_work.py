"""Look into the stores of unfinished jobs, and damage them."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sharpest.results.work import WorkStore


def opened(folder: Path) -> WorkStore:
    """The store of a job that has died."""
    (file,) = folder.glob("*.sqlite")
    return WorkStore(folder, file.stem)


def damage(folder: Path, kind: str, number: int) -> None:
    """Replace a record by one whose checksum is of another."""
    (file,) = folder.glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database, database:
        where = "where kind = ? and number = ? and part = 0"
        database.execute(f"update parts set content = '0 []' {where}", (kind, number))


def epochs_kept(folder: Path) -> list[tuple[int, str]]:
    """The epochs that the store of a run in training holds; an older state may be read during a write."""
    query = "select number, content from parts where kind = 'history' order by number"
    for file in folder.glob("*.sqlite"):
        place = f"{file.absolute().as_uri()}?mode=ro&nolock=1"
        with suppress(sqlite3.Error), closing(sqlite3.connect(place, uri=True)) as work:
            return work.execute(query).fetchall()
    return []
