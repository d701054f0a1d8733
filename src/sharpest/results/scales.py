"""The scale that is meant where none is named."""

from importlib import import_module, util
from pathlib import Path

from sharpest.errors import ConfigError, StoreError

_CONFIG = Path("config/config.yaml")


def scale_in(folder: str | Path) -> str:
    """The scale of ``config/config.yaml`` in the current folder if it has results, else the only one with results.

    Args:
        folder: Folder with one folder per scale.

    Raises:
        StoreError: If there are no results, or those of several scales.
        ConfigError: If the configuration cannot be read.
    """
    scales = sorted(path.name for path in Path(folder).glob("*/"))
    # only the core is installed without yaml; the configuration is imported by name, since it imports this package
    if _CONFIG.exists() and util.find_spec("yaml"):
        keys = import_module("sharpest.config.reading").read_keys(_CONFIG)
        if "scale" not in keys:
            raise ConfigError(f"{_CONFIG}: scale is missing; add it")
        if str(keys["scale"]) in scales:
            return str(keys["scale"])
    if len(scales) != 1:
        raise StoreError(
            f"{folder} has {', '.join(scales) or 'no scale'}; choose one with --scale, in Python with scale=..."
        )
    return scales[0]
