"""Results files: their layouts, how they are written and read, and their paths.

The package is callable: ``sharpest.results("results", scale="quick")`` opens the results of a scale.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sharpest.results.runs import Results


class _CallableModule(ModuleType):
    """Makes ``sharpest.results`` both a package and a function that opens the results of a scale."""

    def __call__(self, folder: str | Path = "results", scale: str | None = None) -> "Results":
        """See ``sharpest.results.runs.open_results``; without a scale, that of ``scale_in``."""
        # imported by name, which keeps the readers out of the fingerprints of jobs that only write
        runs = import_module("sharpest.results.runs")
        scale = scale or import_module("sharpest.results.runs").scale_in(folder)
        results: Results = runs.open_results(folder, scale)
        return results


sys.modules[__name__].__class__ = _CallableModule
