"""Which definitions the work of a job can reach, by the names that its code says.

Names of a module and of its imports are followed to where they come from. A name of another object, ``x.name``, or a
text that could be one, reaches every definition of that name; a class is reached with all its methods. Code that runs
on import always counts. Where code could ask for a name that it does not say, all counts.
"""

from collections.abc import Collection, Iterable, Mapping

from sharpest.pipeline.definitions import Definitions, Part


class _Search:
    """Follows names from part to part.

    Args:
        modules: Those that the work imports, by name.
        objects: Those that code outside of them holds as such.
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
        """Take a part as reached."""
        if id(part) not in self._seen:
            self._seen.add(id(part))
            self._pending.append((module, part))
            if not part.imports:
                self.found[module] |= part.names

    def ask(self, module: str, name: str) -> None:
        """Import a name of a module; one that a package hands out when it is asked for is found by its name."""
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
        elif parts[0].imports:  # handed on
            self.found[module].add(name)

    def _name(self, name: str) -> None:
        for module, part in self._by_name.get(name, ()):
            self.add(module, part)
            if part.imports:
                self.found[module].add(name)

    def follow(self, outside: Iterable[Part]) -> None:
        """Reach all that the parts so far, and others outside of the package, ask for."""
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
    """Names of each module that count; beside them does what runs on import.

    Args:
        modules: Those that the work imports, directly or not.
        script: The job's script, all of which counts.
        dynamic: Modules that are imported by a name among the job's settings: all their public names count.
    """
    search = _Search(modules, {*dynamic, *script.objects})
    for module, definitions in modules.items():
        for part in definitions.parts:
            public = module in dynamic and any(not name.startswith("_") for name in part.names)
            if part.runs or (public and not part.imports):
                search.add(module, part)
    search.follow(script.parts)
    return {module: frozenset(names) for module, names in search.found.items()}
