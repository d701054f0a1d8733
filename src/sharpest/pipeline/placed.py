"""Results that came in a bundle: what the workflow and the commands have to know of them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from sharpest.config.project import Project
from sharpest.config.reading import validate
from sharpest.config.settings import NAME, Name
from sharpest.config.sources import SubstituteSettings
from sharpest.config.strict import NewSeeds, Strict
from sharpest.errors import ConfigError, StoreError
from sharpest.pipeline.fingerprint import changed_since
from sharpest.results.paths import Paths, is_inside
from sharpest.results.whole import regular

MARKER = "bundle.json"
VERSION = 1
"""Of what a bundle holds and where; another one is refused."""
AGAIN = "run sharpest unbundle again"
_GONE = "none"  # the settings of what the configuration no longer has
_COMMIT = r"^[0-9a-z]+\+?$"
# a line for a script and for each module: name, digest, names that count. Imported files have none
_FINGERPRINT = r"^((scripts/\w+\.py|sharpest[\w.]*) [0-9a-f]{12}( [\w,-]+)?(\n|$))*$"


def _inside(place: str) -> str:
    if not is_inside(place):
        raise ValueError(f"{place!r} does not lie in the folder of the scale")
    return place


class UsedSettings(Strict):
    """What config.yaml and the command line said when the results were made."""

    seeds: NewSeeds | None
    datasets: dict[str, dict[str, Any]]
    substitutes: dict[str, SubstituteSettings]


class Made(Strict):
    """A file that nothing here can make again."""

    place: Annotated[str, AfterValidator(_inside)]
    """In the folder of the scale."""
    of: tuple[Name, str] | tuple[Name, str, str]
    """``data`` and a data set, ``runs`` and a run, or a measure, a run and a schedule."""
    code: str
    """Key of the fingerprint of the code that made it."""
    settings: str
    """Digest of the settings behind it."""


class Bundle(Strict):
    """What a ``bundle.json`` says, in a bundle and beside the results that came in one."""

    version: Annotated[int, Field(strict=True)]
    """Of bundles."""
    scale: str = Field(pattern=NAME)
    settings: UsedSettings
    layouts: dict[Name, int]
    """Versions of the layouts of its files."""
    git: tuple[Annotated[str, Field(pattern=_COMMIT)], ...]
    """Commits of the code that made the files."""
    code: dict[str, Annotated[str, Field(pattern=_FINGERPRINT)]]
    """Fingerprints of it."""
    made: tuple[Made, ...]
    finished: tuple[Name, ...]
    """Figures that come drawn, since what they are drawn from is left out."""


def marker(paths: Paths) -> Path:
    """The file that says that results came in a bundle."""
    return paths.folder / MARKER


def read_bundle(paths: Paths) -> Bundle | None:
    """What stands beside the results of a scale; None where they were made here.

    Raises:
        StoreError: If it is damaged.
    """
    path = marker(paths)
    return parse_bundle(regular(path).read_bytes(), str(path)) if path.exists() else None


def parse_bundle(content: bytes, name: str) -> Bundle:
    """Read a ``bundle.json``.

    Raises:
        StoreError: If it is damaged, or of another version; in one line.
    """
    try:
        values = json.loads(content)
        if isinstance(values, dict) and isinstance(version := values.get("version"), int) and version != VERSION:
            age = "a newer" if version > VERSION else "an older"
            raise StoreError(
                f"{name}: is of {age} version of the code: bundle version {version}, this one reads {VERSION}; use "
                "that version"
            )
        return validate(Bundle, values, name)
    except (ValueError, RecursionError, ConfigError) as error:
        raise StoreError(f"{name}: does not describe a bundle ({error}); {AGAIN}") from None


def with_bundle(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration, with the seeds, data sets and substitutes of results that came in a bundle.

    Args:
        config: The content of ``config/config.yaml``, after changes on the command line.

    Raises:
        StoreError: As of :func:`read_bundle`.
        ConfigError: If it asks for other seeds than came.
    """
    scale, seeds = config.get("scale"), config.get("seeds")
    paths = Paths.of(str(scale))
    bundle = read_bundle(paths) if isinstance(scale, str) else None
    if bundle is None:
        return dict(config)
    if seeds not in (None, bundle.settings.seeds):
        raise ConfigError(
            f"config: seeds {seeds}: {paths.folder} came in a bundle with seeds {bundle.settings.seeds}, and nothing "
            "is trained there; leave seeds out, or give snakemake another --directory"
        )
    return {**config, **bundle.settings.model_dump(mode="json")}


def settings_digest(project: Project, of: tuple[str, ...]) -> str:
    """Of all settings behind a file, as the configuration has them now."""
    try:
        settings = _settings(project, of)
    except (ConfigError, KeyError):
        return _GONE
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _settings(project: Project, of: tuple[str, ...]) -> Any:
    match of:
        case ("data", dataset):
            return project.scale.datasets[dataset].source
        case ("runs", run):
            return project.run(run).model_dump(mode="json")
        case (measure, run, name):
            schedule = project.schedule(run, name)
            return [
                project.run(run).model_dump(mode="json"),
                schedule.segments,
                schedule.measures[measure].model_dump(mode="json"),
                project.hessian(run).model_dump(mode="json"),
            ]
        case _:
            raise KeyError(of)


def missing(bundle: Bundle, paths: Paths) -> list[str]:
    """A complaint about each file that came, and is not there any more."""
    places = [paths.folder / made.place for made in bundle.made]
    return [f"{path}: is missing, and came in a bundle; {AGAIN}" for path in places if not path.exists()]


def stale(bundle: Bundle, project: Project, scripts: Path) -> str | None:
    """One line on the files that today's code or settings would make otherwise, and that stay as they are.

    Args:
        bundle: What came.
        project: The configuration of now.
        scripts: The folder of the workflow's scripts.
    """
    changed = {key: changed_since([lines], scripts) for key, lines in bundle.code.items()}
    files, causes = Counter[str](), dict[str, None]()
    for made in bundle.made:
        modules = changed.get(made.code, [])
        other_settings = made.settings != settings_digest(project, made.of)
        files[made.of[0]] += bool(modules or other_settings)
        causes |= dict.fromkeys([*modules, *["settings"] * other_settings])
    if not causes:
        return None
    named, most = list(causes), 4
    more = f" and {len(named) - most} more" * (len(named) > most)
    return (
        f"{Paths.of(bundle.scale).folder} came in a bundle, and stays as it is; stale there: "
        f"{', '.join(f'{count} {kind}' for kind, count in sorted(files.items()) if count)} "
        f"({', '.join(named[:most])}{more} changed)"
    )
