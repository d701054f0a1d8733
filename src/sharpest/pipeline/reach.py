"""Find the definitions that a job can reach, by following the names in its code.

Names of a module and its imports are followed to their origin. An attribute of another object, ``x.name``, or a text
that could be a name, reaches every definition with that name. A class is reached with all its methods. Code that runs
on import always counts. If code could use a name that it does not state, everything counts.
"""

from collections.abc import Collection, Iterable, Mapping

from sharpest.pipeline.definitions import Definitions, Part


class _Search:
    """Follows names from part to part.

    Args:
        modules: Name -> definitions of the modules that the job imports.
        objects: Modules that the script, or the settings of the job, use as objects.
    """

    def __init__(self, modules: Mapping[str, Definitions], objects: set[str]) -> None:
        self._modules = modules
        objects = objects.union(*(each.objects for each in modules.values()))
        self._by_name: dict[str, list[tuple[str, Part]]] = {}
        for module, each in modules.items():
            for part in each.parts:
                if not part.imports or module in objects:
                    for name in part.names:
                        self._by_name.setdefault(name, []).append((module, part))
        self.found: dict[str, set[str]] = {module: set() for module in modules}
        self._seen: set[int] = set()
        self._pending: list[tuple[str, Part]] = []

    def add(self, module: str, part: Part) -> None:
        """Mark a part as reached."""
        if id(part) not in self._seen:
            self._seen.add(id(part))
            self._pending.append((module, part))
            if not part.imports:
                self.found[module] |= part.names

    def ask(self, module: str, name: str) -> None:
        """Follow the import of a name from a module. A lazy export of a package is found by its name."""
        if module not in self._modules or f"{module}.{name}" in self._modules:
            return
        if name == "*":
            for part in self._modules[module].parts:
                self.add(module, part)
        parts = self._modules[module].by_name.get(name, [])
        for part in parts:
            self.add(module, part)
        if not parts:
            self._name(name)
        elif parts[0].imports:  # re-exported
            self.found[module].add(name)

    def _name(self, name: str) -> None:
        for module, part in self._by_name.get(name, ()):
            self.add(module, part)
            if part.imports:
                self.found[module].add(name)

    def follow(self, outside: Iterable[Part]) -> None:
        """Reach everything that the parts marked so far, and parts outside the package, use."""
        self._pending += [("", part) for part in outside]
        while self._pending:
            module, part = self._pending.pop()
            if module and self._modules[module].is_obscure(part):
                for name, definitions in self._modules.items():
                    for each in definitions.parts:
                        self.add(name, each)
            for ask in part.asks:
                self.ask(*ask)
            if module:
                own = self._modules[module].by_name
                for name in part.reads & own.keys():
                    for each in own[name]:
                        self.add(module, each)
            for name in part.attributes & self._by_name.keys():
                self._name(name)


def reached(
    modules: Mapping[str, Definitions], script: Definitions, dynamic: Collection[str] = ()
) -> dict[str, frozenset[str]]:
    """Module -> its names that a job reaches; code that runs on import counts in addition.

    Args:
        modules: Name -> definitions of the modules that the job imports, directly or indirectly.
        script: The script of the job, all of which counts.
        dynamic: Modules that the job imports by a name in its settings; all their public names count.
    """
    search = _Search(modules, {*dynamic, *script.objects})
    for module, definitions in modules.items():
        for part in definitions.parts:
            public = module in dynamic and any(not name.startswith("_") for name in part.names)
            if part.runs or (public and not part.imports):
                search.add(module, part)
    search.follow(script.parts)
    return {module: frozenset(names) for module, names in search.found.items()}
