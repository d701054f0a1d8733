"""Watch curvature in a training loop of one's own.

The package can be called: ``sharpest.watch(model, loss, probe, optimizer=optimizer, every=100)`` gives a monitor, whose
``step()`` follows each update. Arguments: ``sharpest.watch.monitor.Monitor``.
"""

import inspect
import sys
from types import ModuleType

from sharpest.watch.beginning import WatchWarning
from sharpest.watch.monitor import Monitor
from sharpest.watch.reading import Reading

__all__ = ["Monitor", "Reading", "WatchWarning"]


class _CallableModule(ModuleType):
    """Lets the name serve as the room and as the function."""

    __call__ = staticmethod(Monitor)


__signature__ = inspect.signature(Monitor)
sys.modules[__name__].__class__ = _CallableModule
