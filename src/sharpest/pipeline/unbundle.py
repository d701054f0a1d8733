"""Put a bundle in place: all of it or nothing, and nothing of it is run."""

import hashlib
import os
import re
import shutil
import stat
import struct
import zlib
from collections.abc import Sequence
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from sharpest.claims.ledger import read_ledgers
from sharpest.config.architectures import ImportedNetSettings
from sharpest.config.measures import declared, measure_names
from sharpest.config.project import load_project
from sharpest.config.run import ImportedSettings
from sharpest.errors import ConfigError, StoreError
from sharpest.pipeline.bundle import METADATA, checksums
from sharpest.pipeline.placed import MARKER, Bundle, marker, parse_bundle
from sharpest.pipeline.preconditions import LOCK, hold
from sharpest.pipeline.verify import checks, is_unfinished
from sharpest.results.kinds import kinds_of_files
from sharpest.results.paths import Paths, is_inside
from sharpest.results.whole import regular, written_whole

_DAMAGED = (BadZipFile, EOFError, LZMAError, OverflowError, ValueError, struct.error, zlib.error)
"""What zipfile raises for a part of a bundle, and for damaged content."""
_CHUNK, _LONGEST = 2**20, 2**28  # bytes: read at once; of a description
_CONFIG = "config"
_CONFIG_FILE = re.compile(r"config/(scales/[^/]+\.yaml|claims/[^/]+\.csv|runs\.tsv|(studies|beyond)\.yaml|claims\.csv)")
_RESULT = re.compile(r".+\.(h5|csv|tsv|json|pdf|png|md)")
_FOR_READERS = re.compile(r"README\.md|Snakefile|workflow/(rules/[^/]+\.smk|scripts/[^/]+\.py)")
"""Names of files that are not put in place."""


def unpack(file: Path, force: bool) -> str:
    """Put results and configuration of a bundle into this folder, which is that of the Snakefile.

    Every byte is checked before anything of the folder is changed.

    Args:
        file: The bundle.
        force: Replace results of the scale, and files of the configuration, that are there.

    Returns:
        A line on what was put in place.

    Raises:
        StoreError: In one line, if the bundle is damaged, incomplete or of another version, something is in its way,
            or the folder cannot be written. Nothing was changed then.
    """
    if not Path(_CONFIG, "scales").is_dir():
        raise StoreError(f"there is no folder {_CONFIG}/scales; run sharpest unbundle in the folder of the Snakefile")
    try:
        with ZipFile(regular(file)) as archive:
            return _Unpacking(file, archive).put_in_place(force)
    except FileNotFoundError:
        raise StoreError(f"{file}: does not exist; correct the name") from None
    except (*_DAMAGED, NotImplementedError, RuntimeError) as error:
        # the last two for an unknown method and a password
        raise StoreError(f"{file}: is truncated, damaged or no bundle ({error}); get it again") from None
    except OSError as error:
        raise StoreError(f"{file}: cannot be put in place ({error}); free space or correct the rights") from None


class _Unpacking:
    """A bundle that is open.

    Args:
        file: The bundle.
        archive: The same, open.

    Raises:
        StoreError: If it does not hold what it says, or is of another version.
    """

    def __init__(self, file: Path, archive: ZipFile) -> None:
        self._file, self._archive = file, archive
        self._entries = {entry.filename: entry for entry in archive.infolist()}
        if len(self._entries) < len(archive.infolist()):
            raise self._wrong("holds two files of one name")
        self._checksums = self._described_files()
        for name in self._checksums:
            self._check_entry(name)
        self._bundle = self._described()
        paths = Paths.of(self._bundle.scale)
        self._folder = paths.folder
        self._results = [name for name in self._checksums if name.startswith(f"{self._folder}/")]
        self._config = [name for name in self._checksums if name.startswith(f"{_CONFIG}/")]
        for name in self._results:
            if not _RESULT.fullmatch(name) or is_unfinished(paths, Path(name)):
                raise self._wrong(f"has {name}, which is neither a result nor configuration")
        for name in self._checksums.keys() - {*self._results}:
            if not (_CONFIG_FILE.fullmatch(name) or _FOR_READERS.fullmatch(name)):
                raise self._wrong(f"has {name}, which is neither a result nor configuration")
        named = [paths.folder / made.place for made in self._bundle.made]
        named += [paths.figure(name, suffix) for name in self._bundle.finished for suffix in ("csv", "png")]
        if absent := [paths.place(path) for path in named if path.as_posix() not in self._checksums]:
            raise self._wrong(f"does not hold {absent[0]}, which its {MARKER} names")

    def _wrong(self, what: str) -> StoreError:
        return StoreError(f"{self._file}: {what}; get it again, nothing was changed")

    def _described_files(self) -> dict[str, tuple[int, str]]:
        """Size and SHA-256 of all files but the metadata, which describe them."""
        if METADATA not in self._entries:
            raise self._wrong(f"has no {METADATA}")
        try:
            described = checksums(self._read(METADATA))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise self._wrong(f"has a {METADATA} that does not say what it holds") from None
        if differing := {METADATA, *described} ^ self._entries.keys():
            raise self._wrong(f"holds other files than {METADATA} says, such as {min(differing)!r}")
        return described

    def _read(self, name: str) -> bytes:
        """A description, which a hostile file cannot make as large as the memory."""
        if self._entries[name].file_size > _LONGEST:
            raise self._wrong(f"has {name} of {self._entries[name].file_size:,} bytes")
        return self._archive.read(name)

    def _check_entry(self, name: str) -> None:
        """That an entry is a file within the folder, of the size that is described."""
        entry = self._entries[name]
        if "\\" in name or not is_inside(name):
            raise self._wrong(f"has a file {name!r} that would lie elsewhere")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise self._wrong(f"has {name}, which is not a regular file")
        if entry.file_size != self._checksums[name][0]:
            raise self._wrong(f"has {name} of another size than {METADATA} says")

    def _described(self) -> Bundle:
        names = [name for name in self._checksums if PurePosixPath(name).name == MARKER]
        if len(names) != 1:
            raise self._wrong(f"is no bundle of sharpest: it has {len(names)} files {MARKER}")
        bundle = parse_bundle(self._read(names[0]), f"{self._file}, {names[0]}")
        if names[0] != marker(Paths.of(bundle.scale)).as_posix():
            raise self._wrong(f"has results of the scale {bundle.scale} in another folder")
        known = {layout.name: layout.version for layout, _ in kinds_of_files()}
        known |= {layout.name: layout.version for layout in (declared(name).layout for name in measure_names())}
        for name, version in bundle.layouts.items():
            if version != known.get(name):
                raise StoreError(
                    f"{self._file}: is of another version of the code: {name} version {version}, this one reads "
                    f"{known.get(name, 'none')}; use the code at {' or '.join(bundle.git)}, nothing was changed"
                )
        return bundle

    def put_in_place(self, force: bool) -> str:
        """As :func:`unpack`."""
        hold(LOCK)
        replaced = self._in_the_way(force)
        staging = self._folder.parent / f".unbundle.{os.getpid()}"
        try:
            self._extract(list(self._checksums), staging)
            self._check_results(Paths(staging / self._folder))
            foreign = self._foreign_code(staging)
            for path, aside in replaced.items():
                if path == self._folder:
                    path.rename(aside)
                else:
                    shutil.copy2(path, aside)
            for name in self._config:
                if not self._is_there(name):
                    with written_whole(name) as temporary:
                        shutil.copyfile(staging / name, temporary)
            (staging / self._folder).rename(self._folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        kept = "".join(f"; what was {path} is {aside}" for path, aside in replaced.items())
        return (
            f"{self._folder}: {len(self._results)} files{kept}{foreign}; to draw all: snakemake --workflow-profile "
            f"workflow/profiles/local --cores all --config scale={self._bundle.scale} -- all"
        )

    def _in_the_way(self, force: bool) -> dict[Path, Path]:
        """What is replaced, and where it is kept."""
        folder = self._folder
        occupied = os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir()))
        if occupied and not force:
            raise StoreError(f"{folder}: exists; move it, or have it moved with --force; nothing was changed")
        different = [Path(name) for name in self._config if Path(name).exists() and not self._is_there(name)]
        if different and not force:
            raise StoreError(
                f"{', '.join(map(str, different))}: not as in the bundle; unbundle it in a clone of "
                f"{' or '.join(self._bundle.git)}, or have such files replaced with --force; nothing was changed"
            )
        replaced = {path: path.with_name(f"{path.name}.replaced") for path in [folder] * occupied + different}
        for aside in replaced.values():
            if os.path.lexists(aside):
                raise StoreError(f"{aside}: exists, and what is replaced is kept there; move it; nothing was changed")
        return replaced

    def _is_there(self, name: str) -> bool:
        path = Path(name)
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self._checksums[name][1]

    def _extract(self, names: Sequence[str], staging: Path) -> None:
        """Write files, each of the size and with the checksum that are described."""
        needed, free = sum(self._checksums[name][0] for name in names), shutil.disk_usage(".").free
        if needed > free:
            raise StoreError(f"{self._file}: needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} are free; free space")
        for name in names:
            path, digest = staging / name, hashlib.sha256()
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._archive.open(name) as source, open(path, "xb") as target:
                while content := source.read(_CHUNK):
                    digest.update(content)
                    target.write(content)
            if digest.hexdigest() != self._checksums[name][1]:
                raise self._wrong(f"has {name}, which is not the file that was packed (its SHA-256 differs)")

    def _foreign_code(self, staging: Path) -> str:
        """Read the configuration as planning would, and say what code of other people it names; empty if none."""
        settings = {"scale": self._bundle.scale, **self._bundle.settings.model_dump(mode="json")}
        try:
            project = load_project(settings, staging / _CONFIG)
            read_ledgers(staging / _CONFIG)
        except ConfigError as error:
            text = str(error).replace(f"{staging}/", "")
            raise StoreError(f"{self._file}: its configuration cannot be read: {text}; nothing was changed") from None
        scale = project.scale
        names = [
            f"net {model.net}, loss {model.loss}"
            for model in scale.models.values()
            if isinstance(model, ImportedNetSettings)
        ]
        names += [f"batches {data.batches}" for data in scale.datasets.values() if isinstance(data, ImportedSettings)]
        if not names:
            return ""
        return f"; foreign code, which is not in the bundle and was not run: {', '.join(dict.fromkeys(names))}"

    def _check_results(self, staged: Paths) -> None:
        """That the files belong together, and can be read."""
        for check in checks(staged):
            try:
                check()
            except StoreError as error:
                raise self._wrong(str(error).partition(";")[0].replace(f"{staged.folder}/", "")) from None
