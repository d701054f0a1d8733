"""The entries of the gallery: finished figures, tables and verdicts, copied with their origin, costs and claims."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from sharpest.claims.judgement import judge
from sharpest.claims.ledger import Claim
from sharpest.claims.plans import plan_claims
from sharpest.claims.report import chance_table, headline_table, read_judged
from sharpest.config.project import Project
from sharpest.config.sources import SOURCES
from sharpest.config.strict import Strict
from sharpest.errors import StoreError
from sharpest.pipeline.fingerprint import fingerprint
from sharpest.pipeline.needs import Needs, times_of
from sharpest.report.measured import trained_run
from sharpest.report.paper import item_of, title_of
from sharpest.report.setup import Setup, setup_of
from sharpest.results.paths import Paths
from sharpest.results.record import check_recorded
from sharpest.results.runs import Results
from sharpest.results.stored import reader_of
from sharpest.results.whole import present


def seconds_of(record: Path) -> float:
    """Total seconds in a record of time.

    Raises:
        StoreError: If the record is damaged.
    """
    try:
        return float(pd.read_csv(record, sep="\t", usecols=["s"])["s"].astype(float).sum())
    except (OSError, ValueError) as error:  # pandas raises these for missing columns and for bytes that are not text
        raise StoreError(
            f"{record}: damaged record of time ({type(error).__name__}); delete it, nothing else depends on it"
        ) from None


LARGEST_PICTURE = 150_000
"""Largest size of a picture, in bytes."""
LARGEST_TABLE = 300_000
"""Largest size of a csv file, in bytes. A larger one is compressed, and left out if it is still larger."""

_RECORD = "made.json"
_ANSWERS = "claims.csv"
NOT_RUN = "not run"
"""Replaces the verdict on a claim whose files do not exist."""


class Made(Strict):
    """How an entry was made."""

    study: str
    """Name of the figure or table."""
    title: str
    """Display name."""
    caption: str
    """What is shown."""
    scale: str
    """Name of the scale."""
    command: str
    """Command that makes it."""
    data: list[str]
    """Data sets used."""
    runs: list[str]
    """Runs shown, and their trunks."""
    minutes: dict[str, float]
    """Kind of work -> elapsed minutes of its jobs."""
    commits: list[str]
    """Commits of the code that made the files."""
    packages: list[str]
    """Versions of the packages."""
    devices: list[str]
    """Devices used."""
    days: list[str]
    """Dates of the jobs, UTC."""
    foot: str
    """What was replaced or reduced."""
    code: list[str]
    """Fingerprint: a line per script and module, with its name and digest."""
    sha256: dict[str, str]
    """File -> digest of what was made."""
    beyond: bool = False
    """Whether the study goes beyond the paper."""


class Entry:
    """A figure or table of the gallery.

    Args:
        folder: Folder of the entry.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = Made.model_validate_json((folder / _RECORD).read_text(encoding="utf-8"))

    @property
    def claims(self) -> pd.DataFrame:
        """One row per claim that its runs answer, with the verdict; all cells are texts. Claims about it come first."""
        return read_texts(self.folder)

    @property
    def item(self) -> str:
        """Its name in the ledger."""
        return _item(self.made.study, self.made.beyond)

    @property
    def about(self) -> pd.DataFrame:
        """The claims about it."""
        return self.claims.loc[self.claims["item"] == self.item]

    def kept(self, suffix: str) -> Path | None:
        """Its file with this suffix, if kept."""
        path = self.folder / f"{self.made.study}{suffix}"
        return path if path.exists() else None


def read_texts(folder: Path) -> pd.DataFrame:
    """The judged claims in a folder of the gallery, all cells as texts."""
    return pd.read_csv(folder / _ANSWERS, dtype=str, keep_default_na=False)


def entries(gallery: Path) -> list[Entry]:
    """All entries of a gallery, sorted by name."""
    return [Entry(path.parent) for path in sorted(gallery.glob(f"*/{_RECORD}"))]


def collect(
    project: Project,
    claims: Sequence[Claim],
    judged: pd.DataFrame,
    study: str,
    paths: Paths,
    scripts: Path,
    command: str,
    gallery: Path,
) -> Entry:
    """Copy a figure or table of a scale into the gallery, with the claims that its runs answer and its origin.

    Args:
        project: The project.
        claims: The ledger.
        judged: The verdicts, as returned by ``judge_measured``.
        study: Name of the figure or table.
        paths: Paths of the scale.
        scripts: The folder of the workflow's scripts.
        command: The command that made it.
        gallery: The folder of the gallery.

    Raises:
        StoreError: If a file behind it is missing or damaged.
    """
    setup = setup_of(project, claims, plan_claims(claims, project), [study])
    is_table, beyond = project.studies[study].is_table, study in project.beyond
    outputs = _outputs(study, is_table, paths)
    for path in outputs.values():
        check_recorded(path, paths)
    made = _made(project, study, setup, paths, scripts, command, outputs)
    answered = [claim for claim in claims if claim["item"] == _item(study, beyond)]
    answered += [claim for claim in claims if claim.id in setup.beside[study]]
    answers = judged.loc[[claim.id for claim in answered]]
    folder = gallery / study
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, path in outputs.items():
        _keep(path, folder / f"{study}{suffix}")
    answers.reset_index().to_csv(folder / _ANSWERS, index=False, lineterminator="\n")
    (folder / _RECORD).write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return Entry(folder)


def judge_measured(project: Project, claims: Sequence[Claim], paths: Paths) -> pd.DataFrame:
    """All claims with their verdicts, indexed by id.

    Claims whose files exist are judged together, as chance and Holm's correction require; all others have the verdict
    ``NOT_RUN``.
    """
    plans = plan_claims(claims, project)
    needs = Needs(project, paths)
    measured = {claim.id for claim in claims if all(path.exists() for path in needs.of_claims([claim], plans))}
    at_paper = project.settings.scale == "paper"
    judged = judge([claim for claim in claims if claim.id in measured], plans, paths.folder, at_paper).claims
    rest = pd.DataFrame([dict(claim.row) for claim in claims if claim.id not in measured]).assign(verdict=NOT_RUN)
    return (pd.concat([judged, rest]) if len(rest) else judged).set_index("id")


def _made(
    project: Project, study: str, setup: Setup, paths: Paths, scripts: Path, command: str, outputs: dict[str, Path]
) -> Made:
    """How a figure or table was made, from the attributes of all files behind it."""
    results = Results(paths.folder)
    origins = [
        *(trained_run(results[run].snapshots).origin for run in setup.runs),
        *(
            results[run].read(reader_of(measure), schedule).attributes
            for measure, curves in setup.measured().items()
            for run, schedule in curves
        ),
    ]
    script = "write_table.py" if setup.studies[study].is_table else "draw_figure.py"
    last = fingerprint(scripts / script, f"sharpest.{project.study(study).made_by}")
    return Made(
        study=study,
        title=title_of(item_of(study)),
        caption=project.study(study).caption,
        scale=project.settings.scale,
        command=command,
        data=_unique(SOURCES[origin["dataset"]].title for origin in origins),
        runs=list(setup.runs),
        minutes=_minutes(paths, setup),
        commits=_unique(origin["git"] for origin in origins),
        packages=_unique(f"{name} {number}" for origin in origins for name, number in origin["packages"].items()),
        devices=_unique(origin["device"] for origin in origins),
        days=sorted({str(origin["created"])[:10] for origin in origins}),
        foot=f"{project.scale.description}. " + "; ".join(setup.reductions[study]) + ".",
        code=sorted({line for lines in [last, *(origin["code"] for origin in origins)] for line in lines.splitlines()}),
        sha256={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in outputs.values()},
        beyond=study in project.beyond,
    )


def _outputs(study: str, is_table: bool, paths: Paths) -> dict[str, Path]:
    if is_table:
        return {f".{suffix}": paths.table(study, suffix) for suffix in ("md", "csv")}
    return {f".{suffix}": paths.figure(study, suffix) for suffix in ("png", "csv")}


def _minutes(paths: Paths, setup: Setup) -> dict[str, float]:
    """Kind of work -> minutes, from the records of time."""
    return {
        what: round(sum(seconds_of(present(path)) for path in records) / 60, 1)
        for what, records in times_of(setup, paths).items()
        if records
    }


def _item(study: str, beyond: bool) -> str:
    """The name of a study in the ledger; parts of a figure, such as ``fig04_lstm``, share its name."""
    return study if beyond else item_of(study.partition("_")[0])


def _keep(path: Path, place: Path) -> None:
    """Copy a file into the gallery, and remove its earlier copy."""
    compressed = place.with_name(f"{place.name}.gz")
    for earlier in (place, compressed):
        earlier.unlink(missing_ok=True)
    content = _small_picture(path) if path.suffix == ".png" else path.read_bytes()
    if len(content) > LARGEST_TABLE:
        place, content = compressed, gzip.compress(content, mtime=0)
    if len(content) <= LARGEST_TABLE:
        place.write_bytes(content)


def _small_picture(path: Path) -> bytes:
    """A picture in 256 colours, scaled down to at most ``LARGEST_PICTURE`` bytes."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    while True:
        stream = io.BytesIO()
        picture.quantize(256).save(stream, "png", optimize=True)
        if len(stream.getvalue()) <= LARGEST_PICTURE:
            return stream.getvalue()
        picture = picture.resize((picture.width * 9 // 10, picture.height * 9 // 10), Image.Resampling.LANCZOS)


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


CLAIMS = "claims"
PAGE = "README.md"


def collect_claims(paths: Paths, gallery: Path) -> None:
    """Copy the verdict_lines of a scale into the gallery.

    Raises:
        StoreError: If a file of verdict_lines is missing or was changed.
    """
    folder = gallery / f"{CLAIMS}-{paths.folder.name}"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (paths.claims("csv"), paths.claims("by_chance.csv"), paths.claims("by_seed.csv"), paths.claims("md")):
        name = PAGE if path.suffix == ".md" else path.name
        check_recorded(path, paths)
        (folder / name).write_bytes(path.read_bytes())


def verdict_lines(gallery: Path) -> list[str]:
    """Lines of the index: the findings of each scale in the gallery, and the number that would hold by chance."""
    lines = []
    for folder in sorted(gallery.glob(f"{CLAIMS}-*")):
        table, chance = read_judged(folder / "claims.csv"), pd.read_csv(folder / "claims.by_chance.csv")
        seeds = int(table["seeds"].max())
        lines += [
            f"## Verdicts at {folder.name.partition('-')[2]}, {seeds} {'seed' if seeds == 1 else 'seeds'}",
            "",
            f"All claims with their numbers: [{folder.name}]({folder.name}/{PAGE}).",
            "",
            headline_table(table),
            "",
            chance_table(chance[chance["item"] == "all"]),
            "",
        ]
    return lines
