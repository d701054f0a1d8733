"""Pack a bundle: its files, its description as a Workflow Run RO-Crate, and the archive.

Source: RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) with the profiles Workflow RO-Crate 1.0
(https://w3id.org/workflowhub/workflow-ro-crate/1.0), Process Run Crate and Workflow Run Crate 0.5
(https://w3id.org/ro/wfrun/workflow/0.5).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sharpest.claims.ledger import Claim
from sharpest.claims.plans import plan_claims
from sharpest.config.project import Project
from sharpest.config.scale_files import read_scale
from sharpest.config.study_files import BEYOND as STUDIES_BEYOND
from sharpest.config.study_files import PAPER as STUDIES
from sharpest.errors import StoreError
from sharpest.pipeline.needs import Needs, files_of_report, times_of
from sharpest.pipeline.placed import VERSION, Bundle, Made, UsedSettings, marker, settings_digest
from sharpest.pipeline.verify import kind_of, read_checked
from sharpest.report.setup import setup_of
from sharpest.results.abridged import abridge
from sharpest.results.layout import Layout
from sharpest.results.paths import BEYOND, PAPER, Paths, is_stored
from sharpest.results.record import check_recorded
from sharpest.results.whole import written_whole

OF_VECTORS = frozenset({"eigenvector_drift"})
"""Kinds of studies that draw eigenvectors themselves; such a figure comes drawn."""


@dataclass(frozen=True)
class Contents:
    """The files of a bundle; a study whose figure is not drawn again counts as its figure.

    Attributes:
        stored: HDF5 files that are read: data, states of runs, measures.
        records: Other files that are there as they are: histories, records of time, finished figures.
        finished: Names of the figures that come drawn.
        config: Files of the configuration that the scale reads.
    """

    stored: tuple[Path, ...]
    records: tuple[Path, ...]
    finished: tuple[str, ...]
    config: tuple[Path, ...]


def contents_of(project: Project, ledgers: Mapping[str, Sequence[Claim]]) -> Contents:
    """Find them.

    Args:
        project: The scale.
        ledgers: The claims by ledger.

    Raises:
        StoreError: If one is missing; names the first, and how to make all.
    """
    paths = Paths.of(project.settings.scale)
    plans = {ledger: plan_claims(claims, project) for ledger, claims in ledgers.items()}
    setup = setup_of(project, ledgers[PAPER], plans[PAPER], later_claims=bool(ledgers[BEYOND]))
    needs = Needs(project, paths)
    read = {path for ledger, claims in ledgers.items() for path in needs.of_claims(claims, plans[ledger])}
    read |= {*files_of_report(setup, paths)} - {*setup.made(paths)}
    folder = paths.snapshots("").parent  # of all runs
    runs = sorted({path.parent for path in read if folder in path.parents})
    finished = tuple(name for name, study in setup.studies.items() if study.kind in OF_VECTORS)
    stored = sorted({path for path in read if is_stored(path)} | {run / paths.snapshots("").name for run in runs})
    records = [run / paths.history("").name for run in runs]
    records += [paths.figure(name, suffix) for name in finished for suffix in ("csv", "pdf", "png", "md")]
    records += sorted({paths.made(record) for record in records})
    _check_there([*stored, *records], project)
    times = {record for times in times_of(setup, paths).values() for record in times}
    return Contents(
        stored=tuple(stored),
        records=(*records, *sorted(record for record in times if record.exists())),
        finished=finished,
        config=tuple(dict.fromkeys(_config(project))),
    )


def _check_there(files: Sequence[Path], project: Project) -> None:
    missing = [path for path in files if not path.exists()]
    if missing:
        raise StoreError(
            f"{missing[0]}: does not exist{f', as {len(missing) - 1} more' * (len(missing) > 1)}; make all with: "
            f"snakemake --cores all --config scale={project.settings.scale} -- all"
        )


def _config(project: Project) -> Iterator[Path]:
    """What is read where nothing is trained: scales, runs, studies, claims; not the page that a user edits."""
    for name in (project.settings.scale, "paper"):
        yield from (file.path for file in read_scale(project.folder / "scales", name))
    names = ("runs.tsv", Path(STUDIES).name, Path(STUDIES_BEYOND).name, "claims.csv")
    yield from (project.folder / name for name in names if (project.folder / name).exists())
    yield from sorted((project.folder / "claims").glob("*.csv"))


METADATA = "ro-crate-metadata.json"
"""Its name in the zip file."""
WORKFLOW = "Snakefile"

_CRATE, _RUN = "https://w3id.org/ro/crate/1.1", "https://w3id.org/ro/wfrun"
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate"
_PROFILES = {
    f"{_RUN}/process/0.5": "Process Run Crate",
    f"{_RUN}/workflow/0.5": "Workflow Run Crate",
    f"{_WORKFLOW_CRATE}/1.0": "Workflow RO-Crate",
}
_LICENSE = "https://spdx.org/licenses/MIT"
_FORMATS = {
    "h5": "application/x-hdf5",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "yaml": "application/yaml",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "png": "image/png",
}


@dataclass(frozen=True)
class Packed:
    """A file of a bundle.

    Attributes:
        name: In the zip file.
        size: In bytes.
        sha256: Of its bytes.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Origin:
    """How results came to be.

    Attributes:
        scale: Its name.
        description: Of the scale, in a line.
        git: Commits of the code.
        packages: Names and versions of what computed.
        created: When the first file was written, and the last one; ISO 8601.
    """

    scale: str
    description: str
    git: Sequence[str]
    packages: Sequence[tuple[str, str]]
    created: tuple[str, str]


def metadata(files: Sequence[Packed], config: Sequence[str], origin: Origin) -> str:
    """The text of ``ro-crate-metadata.json``.

    Args:
        files: All others of the bundle; those of the workflow and of the results by the folders they are in.
        config: Names of those that the workflow has read.
        origin: How they came to be.
    """
    entities = [
        *_of_crate(files, origin),
        _of_run(files, config, origin),
        *_of_scale(origin),
        *(_file(file, origin) for file in files),
        *(_package(*package) for package in origin.packages),
    ]
    context = [f"{_CRATE}/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
    return json.dumps({"@context": context, "@graph": entities}, indent=1) + "\n"


def checksums(text: bytes) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of each file that the metadata describe, by its name.

    Raises:
        ValueError, TypeError, KeyError, OverflowError: If they are not those of a bundle.
    """
    entities = json.loads(text)["@graph"]
    return {str(each["@id"]): (int(each["contentSize"]), str(each["sha256"])) for each in entities if "sha256" in each}


def _ids(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]


def _of_crate(files: Sequence[Packed], origin: Origin) -> list[dict[str, Any]]:
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": _ids([_CRATE, f"{_WORKFLOW_CRATE}/1.0"]),
    }
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"sharpest: results of the scale {origin.scale}",
        "description": f"What figures, tables and claims are made from. {origin.description}.",
        "datePublished": origin.created[1],
        "license": {"@id": _LICENSE},
        "conformsTo": _ids(list(_PROFILES)),
        "hasPart": _ids([file.name for file in files]),
        "mainEntity": {"@id": WORKFLOW},
        "mentions": {"@id": "#run"},
    }
    profiles = [
        {"@id": uri, "@type": "CreativeWork", "name": name, "version": uri.rpartition("/")[2]}
        for uri, name in _PROFILES.items()
    ]
    terms = {"@id": _LICENSE, "@type": "CreativeWork", "name": "MIT License", "description": "As the code."}
    language = {
        "@id": f"{_WORKFLOW_CRATE}#snakemake",
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
        "url": {"@id": "https://snakemake.readthedocs.io"},
    }
    return [descriptor, root, *profiles, terms, language]


def _of_run(files: Sequence[Packed], config: Sequence[str], origin: Origin) -> dict[str, Any]:
    made = [file.name for file in files if file.name.startswith(f"{Paths.of(origin.scale).folder}/")]
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Training and measuring at the scale {origin.scale}",
        "description": "All jobs of the workflow that stand before figures, tables and claims.",
        "instrument": {"@id": WORKFLOW},
        "object": _ids(["#scale", *config]),
        "result": _ids(made),
        "startTime": origin.created[0],
        "endTime": origin.created[1],
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _of_scale(origin: Origin) -> list[dict[str, Any]]:
    parameter = {
        "@id": "#scale-parameter",
        "@type": "FormalParameter",
        "name": "scale",
        "additionalType": "Text",
        "workExample": {"@id": "#scale"},
    }
    value = {
        "@id": "#scale",
        "@type": "PropertyValue",
        "name": "scale",
        "value": origin.scale,
        "exampleOfWork": {"@id": "#scale-parameter"},
    }
    return [parameter, value]


def _file(file: Packed, origin: Origin) -> dict[str, Any]:
    suffix = file.name.rpartition(".")[2]
    entity: dict[str, Any] = {
        "@id": file.name,
        "@type": "File",
        "name": file.name.rpartition("/")[2],
        "contentSize": str(file.size),
        "sha256": file.sha256,
        "encodingFormat": _FORMATS.get(suffix, "text/plain"),
    }
    if file.name == "README.md":
        entity["about"] = {"@id": "./"}
    if file.name == WORKFLOW:
        entity |= {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": "sharpest",
            "conformsTo": {"@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"},
            "programmingLanguage": {"@id": f"{_WORKFLOW_CRATE}#snakemake"},
            "version": ", ".join(origin.git),
            "softwareRequirements": _ids([_uri(*package) for package in origin.packages]),
            "input": {"@id": "#scale-parameter"},
        }
    return entity


def _uri(name: str, version: str) -> str:
    if name == "python":
        return f"https://www.python.org/downloads/release/python-{version.replace('.', '')}/"
    return f"https://pypi.org/project/{name}/{version}/"


def _package(name: str, version: str) -> dict[str, Any]:
    uri = _uri(name, version)
    return {
        "@id": uri,
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
        "url": {"@id": uri},
    }


_README = """# Results of sharpest at the scale {scale}

{description}. What figures, tables and claims are made from: measured numbers, losses, and where they come from;
without states, eigenvectors and data. In a clone of the code at {git}:

    sharpest unbundle FILE
    snakemake --workflow-profile workflow/profiles/local --cores all --config scale={scale} -- all

`ro-crate-metadata.json` describes each file (Workflow Run RO-Crate 0.5).
"""


@dataclass(frozen=True)
class _Stored:
    """An HDF5 file that was checked."""

    path: Path
    layout: Layout
    made: Made
    attributes: Mapping[str, Any]

    @property
    def is_data(self) -> bool:
        return self.made.of[0] == "data"


@dataclass
class _Bundling:
    """A zip file in the making: the same content gives the same bytes at any time."""

    zip: ZipFile
    packed: list[Packed] = field(default_factory=list)

    def add(self, name: str, source: BinaryIO) -> None:
        """Write a file, and keep its size and checksum."""
        entry = ZipInfo(name)
        entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
        digest, size = hashlib.sha256(), 0
        with self.zip.open(entry, "w") as target:
            while content := source.read(2**20):
                digest.update(content)
                size += target.write(content)
        self.packed.append(Packed(name, size, digest.hexdigest()))

    def add_file(self, name: str, path: Path) -> None:
        with open(path, "rb") as source:
            self.add(name, source)

    def add_text(self, name: str, text: str) -> None:
        self.add(name, io.BytesIO(text.encode()))


def pack(project: Project, ledgers: Mapping[str, Sequence[Claim]], root: Path, output: Path) -> str:
    """Write the bundle of a scale; it is there whole or not at all.

    Args:
        project: The scale.
        ledgers: The claims by ledger.
        root: The folder of the Snakefile.
        output: The bundle.

    Returns:
        A line on what it holds.

    Raises:
        StoreError: If a file is missing or not what it should be, or the bundle cannot be written.
    """
    paths = Paths.of(project.settings.scale)
    contents = contents_of(project, ledgers)
    stored = [_checked(path, project, paths) for path in contents.stored]
    for path in contents.records:
        if path.suffix == ".csv":
            check_recorded(path, paths)
    origin = _origin(project, stored)
    with written_whole(output) as temporary, ZipFile(temporary, "w") as archive, TemporaryDirectory() as folder:
        bundling = _Bundling(archive)
        copy = Path(folder) / "abridged"
        for file in stored:
            is_abridged = abridge(file.path, file.layout, copy, everything=file.is_data)
            bundling.add_file(str(file.path), copy if is_abridged else file.path)
        for path in contents.records:
            bundling.add_file(str(path), path)
        bundling.add_text(str(marker(paths)), _described(project, contents, stored, origin))
        config = [f"config/{path.relative_to(project.folder).as_posix()}" for path in contents.config]
        for name, path in zip(config, contents.config, strict=True):
            bundling.add_file(name, path)
        for path in _workflow(root):
            bundling.add_file(path.relative_to(root).as_posix(), path)
        words = {"scale": origin.scale, "description": origin.description, "git": ", ".join(origin.git)}
        bundling.add_text("README.md", _README.format(**words))
        bundling.add_text(METADATA, metadata(bundling.packed, config, origin))
    return f"{output}: {len(bundling.packed)} files, {output.stat().st_size / 1e6:.1f} MB"


def _workflow(root: Path) -> Iterator[Path]:
    """The workflow, for a reader; it is not put in place."""
    yield root / WORKFLOW
    yield from sorted([*root.glob("workflow/rules/*.smk"), *root.glob("workflow/scripts/*.py")])


def _checked(path: Path, project: Project, paths: Paths) -> _Stored:
    kind = kind_of(paths, path)
    assert kind is not None  # a rule writes it
    layouts, expected = kind
    file = read_checked(paths, path, layouts, expected)
    of = (Path(paths.place(path)).parts[0], *(expected.values() or [path.stem]))
    return _Stored(
        path,
        next(layout for layout in layouts if layout.name == file.attributes["layout"]),
        Made(
            place=paths.place(path),
            of=of,
            code=_key(str(file.attributes["code"])),
            settings=settings_digest(project, of),
        ),
        file.attributes,
    )


def _key(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()[:12]


def _origin(project: Project, stored: Sequence[_Stored]) -> Origin:
    """Data are decoded without an account of packages."""
    measured = [file.attributes for file in stored if not file.is_data]
    created = sorted(str(file.attributes["created"]) for file in stored)
    return Origin(
        scale=project.settings.scale,
        description=project.scale.description,
        git=sorted({str(attributes["git"]) for attributes in measured}),
        packages=sorted({package for attributes in measured for package in attributes["packages"].items()}),
        created=(created[0], created[-1]),
    )


def _described(project: Project, contents: Contents, stored: Sequence[_Stored], origin: Origin) -> str:
    """The text of ``bundle.json``."""
    used = project.settings.model_dump(include=set(UsedSettings.model_fields))
    bundle = Bundle(
        version=VERSION,
        scale=origin.scale,
        settings=UsedSettings(**used),
        layouts={file.layout.name: file.layout.version for file in stored},
        git=tuple(origin.git),
        code={file.made.code: str(file.attributes["code"]) for file in stored},
        made=tuple(file.made for file in stored),
        finished=contents.finished,
    )
    return bundle.model_dump_json(indent=1) + "\n"
