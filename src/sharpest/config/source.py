"""Where the files of a data source are."""

from sharpest.config.strict import Strict


class SourceSettings(Strict):
    """Where the files of one data source are."""

    folder: str | None = None
    """Folder that holds the files; none = usual places, then url."""
    url: str | None = None
    """Where to download from; none = the canonical address."""
