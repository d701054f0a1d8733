"""The location of a data source's files, and its substitute."""

from typing import Any

from pydantic import Field

from sharpest.config.strict import Strict


class SourceSettings(Strict):
    """The location of the files of one data source."""

    folder: str | None = None
    """Folder that holds the files; none = the usual folders, then url."""
    url: str | None = None
    """Address of the download; none = the canonical address."""


class SubstituteSettings(Strict):
    """The substitute for one data source."""

    source: str
    """Name of the source that is read instead."""
    changes: dict[str, Any] = Field(default={})
    """Keys of the data sets that change with the substitute."""
