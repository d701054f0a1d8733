"""Where the files of a data source are, and what stands in for it."""

from typing import Any

from pydantic import Field

from sharpest.config.strict import Strict


class SourceSettings(Strict):
    """Where the files of one data source are."""

    folder: str | None = None
    """Folder that holds the files; none = usual places, then url."""
    url: str | None = None
    """Where to download from; none = the canonical address."""


class SubstituteSettings(Strict):
    """What stands in for one data source."""

    source: str
    """Name of the data that are read in its place."""
    changes: dict[str, Any] = Field(default={})
    """Keys of the data sets that change with it."""
