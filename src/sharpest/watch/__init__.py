"""Watch curvature in your own training loop.

The package is callable: ``sharpest.watch(model, loss, probe, optimizer=optimizer, every=100)`` returns a monitor. Call
its ``step()`` after each update. For the arguments see ``sharpest.watch.monitor.Monitor``.
"""

import inspect
import sys
from types import ModuleType

from sharpest.watch.beginning import WatchWarning
from sharpest.watch.monitor import Monitor, Reading

__all__ = ["Monitor", "Reading", "WatchWarning"]


class _CallableModule(ModuleType):
    """Makes ``sharpest.watch`` both a package and a function."""

    __call__ = staticmethod(Monitor)


__signature__ = inspect.signature(Monitor)
sys.modules[__name__].__class__ = _CallableModule
