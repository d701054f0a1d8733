"""Results: the layout of each kind of file, writing and reading them, and where they are.

The package can be called: ``sharpest.results("results", scale="quick")`` opens the results of a scale.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sharpest.results.runs import Results


class _CallableModule(ModuleType):
    """Lets the name serve as the room and as the function that opens a folder."""

    def __call__(self, folder: str | Path = "results", scale: str = "quick") -> "Results":
        """See :func:`sharpest.results.runs.open_results`."""
        # by name, since what is read is no part of the code behind jobs that only write
        runs = import_module("sharpest.results.runs")
        results: Results = runs.open_results(folder, scale)
        return results


sys.modules[__name__].__class__ = _CallableModule
