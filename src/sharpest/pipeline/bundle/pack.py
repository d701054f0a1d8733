"""Pack what figures, tables, claims and the report of a scale are made from into one file."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sharpest.claims.ledger import Claim
from sharpest.config.project import Project
from sharpest.pipeline.bundle.contents import Contents, contents_of
from sharpest.pipeline.bundle.crate import METADATA, WORKFLOW, Origin, Packed, metadata
from sharpest.pipeline.bundle.placed import VERSION, Bundle, Made, UsedSettings, marker, settings_digest
from sharpest.pipeline.verify import kind_of, read_checked
from sharpest.results.abridged import abridge
from sharpest.results.layout import Layout
from sharpest.results.made import check_made
from sharpest.results.paths import Paths
from sharpest.results.whole import written_whole

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
            check_made(path, paths)
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
