"""Reader classes of measures, by the name of the measure."""

from importlib import import_module
from importlib.util import find_spec

from sharpest.results.stored import Measured


def reader_of(measure: str) -> type[Measured]:
    """The class that reads the files of a measure: the measure's own, or one that only knows the names of its arrays.

    If only the core is installed, the layout is read from the files themselves.
    """
    try:
        if find_spec(f"sharpest.measures.{measure}.reader"):
            reader: type[Measured] = import_module(f"sharpest.measures.{measure}.reader").Reader
            return reader
        layout = import_module(f"sharpest.measures.{measure}").MEASURE.layout
    except ModuleNotFoundError as error:
        if (error.name or "sharpest").startswith("sharpest"):
            raise
        return Measured
    return type("Reader", (Measured,), {"layout": layout})
