"""The class that reads the files of a measure, by the name of the measure."""

from importlib import import_module
from importlib.util import find_spec

from sharpest.results.stored import Measured


def reader_of(measure: str) -> type[Measured]:
    """The class that reads the files of a measure: its own, or one that knows the names of its arrays only.

    Where the core alone is installed, the files say themselves what they hold.
    """
    try:
        if find_spec(f"sharpest.measures.{measure}.reader"):
            own: type[Measured] = import_module(f"sharpest.measures.{measure}.reader").Reader
            return own
        layout = import_module(f"sharpest.measures.{measure}").MEASURE.layout
    except ModuleNotFoundError as error:
        if (error.name or "sharpest").startswith("sharpest"):
            raise
        return Measured
    return type("Reader", (Measured,), {"layout": layout})
