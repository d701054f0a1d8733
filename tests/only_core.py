"""The modules of the core, and a pytest plugin that hides every package except the core's requirements.

``python -m pytest -p only_core --core`` with this folder on PYTHONPATH.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ASKED = ("torch", "numpy", "scipy", "h5py")
"""Requirements of ``pip install sharpest``."""
TOOLS = ("pytest", "hypothesis")
ROOMS = ("errors", "edge", "grids", "results", "curvature", "watch", "commands")

_SOURCE = Path(__file__).parents[1] / "src"


def core_modules() -> list[str]:
    """Names of all modules of the core."""
    rooms = [_SOURCE / "sharpest" / room for room in ROOMS]
    paths = [
        path for room in rooms for path in ([room.with_suffix(".py")] if not room.is_dir() else room.rglob("*.py"))
    ]
    names = {".".join(path.relative_to(_SOURCE).with_suffix("").parts).removesuffix(".__init__") for path in paths}
    return sorted(names)


def with_requirements(names: Sequence[str]) -> set[str]:
    """Distributions and their installed requirements, recursively."""
    resolved: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in resolved:
            continue
        try:
            asked = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        resolved.add(name)
        waiting += [canonicalize_name(other.name) for other in asked if not other.marker or other.marker.evaluate()]
    return resolved


class Hiding:
    """A finder of modules that does not find those of other distributions.

    As where the core alone is installed, ``importlib.util.find_spec`` returns None for them; torch asks it.

    Args:
        finder: The finder behind it.
        hidden: Top-level modules that it does not find.
    """

    def __init__(self, finder: MetaPathFinder, hidden: set[str]) -> None:
        self._finder, self._hidden = finder, hidden

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname.partition(".")[0] in self._hidden else self._finder.find_spec(fullname, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def hide_all_but(names: Sequence[str]) -> None:
    """Hide every distribution except these and their requirements."""
    allowed = with_requirements(names) | {"sharpest"}
    hidden = {
        module
        for module, owners in packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & allowed
    }
    sys.meta_path[:] = [Hiding(finder, hidden) for finder in sys.meta_path]


def pytest_configure() -> None:
    """Hide what the core and its tests do not require; pytest calls this for a plugin."""
    hide_all_but([*ASKED, *TOOLS])
