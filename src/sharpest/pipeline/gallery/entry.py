"""One figure or table with what made it: collected from the files of a scale, kept in a folder of its own."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from PIL import Image

from sharpest.claims.judge import judge
from sharpest.claims.ledger import Claim, read_ledger
from sharpest.claims.plans import files_behind, plan_claims
from sharpest.config.project import Project
from sharpest.config.strict import Strict
from sharpest.data.sources.registry import SOURCES
from sharpest.pipeline.fingerprint import fingerprint
from sharpest.report.facts import Facts, facts_of
from sharpest.report.files import Results, is_figure, present
from sharpest.report.measured import read_directions, read_evaluation, read_spectrum
from sharpest.report.paper import item_of, title_of
from sharpest.report.trained import read_run

LARGEST_PICTURE = 150_000
"""Bytes."""
LARGEST_TABLE = 300_000
"""Bytes; of larger csv files the digest alone is kept."""

_FACTS = "made.json"
_CLAIMS = "claims.csv"
NOT_RUN = "not run"
"""In place of a verdict."""


class Made(Strict):
    """What made an entry."""

    study: str
    """Name of the figure or table."""
    title: str
    """For readers."""
    caption: str
    """What is shown."""
    scale: str
    """Name of the scale."""
    command: str
    """Makes it."""
    data: list[str]
    """That were really used."""
    runs: list[str]
    """Behind it, trunks included."""
    minutes: dict[str, float]
    """Of one core, by what was done."""
    commits: list[str]
    """Of the code that made the files behind it."""
    packages: list[str]
    """Installed then."""
    devices: list[str]
    """It ran on."""
    days: list[str]
    """It ran on, UTC."""
    foot: str
    """What was replaced or reduced."""
    code: list[str]
    """A line for each script and module behind it: its name and a digest."""
    sha256: dict[str, str]
    """Digest of each file that was made."""


class Entry:
    """A figure or table of the gallery.

    Args:
        folder: Its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = Made.model_validate_json((folder / _FACTS).read_text(encoding="utf-8"))

    @property
    def claims(self) -> pd.DataFrame:
        """A row a claim about it, with the verdict."""
        return pd.read_csv(self.folder / _CLAIMS, keep_default_na=False)

    def kept(self, suffix: str) -> Path | None:
        """Its file with that suffix, if there is one."""
        path = self.folder / f"{self.made.study}{suffix}"
        return path if path.exists() else None


def entries(gallery: Path) -> list[Entry]:
    """All of them, figures first."""
    return [Entry(path.parent) for path in sorted(gallery.glob(f"*/{_FACTS}"))]


def collect(project: Project, study: str, results: Path, scripts: Path, command: str, gallery: Path) -> Entry:
    """Copy a figure or table of a scale into the gallery, judge its claims, and write down what made it.

    Claims whose runs are not there are listed as not run.

    Args:
        results: ``results/<scale>``.
        scripts: The folder of the workflow's scripts.
        command: That made it.

    Raises:
        StoreError: If a file behind it is missing or damaged.
    """
    facts, files = facts_of(project, [study]), Results(results)
    outputs = {suffix: present(path) for suffix, path in _outputs(study, files).items()}
    origins = [
        *(read_run(files.snapshots(run)).origin for run in facts.runs),
        *(read_spectrum(files.spectrum(*curve))[0].origin for curve in facts.spectra()),
        *(read_directions(files.directions(*curve)).origin for curve in facts.directions()),
        *(read_evaluation(files.evaluation(run)).origin for run in facts.evaluations()),
    ]
    script, package = ("draw_figure.py", "figures") if is_figure(study) else ("write_table.py", "tables")
    last = fingerprint(scripts / script, f"sharpest.{package}.{project.study(study).kind}")
    made = Made(
        study=study,
        title=title_of(item_of(study)),
        caption=project.study(study).caption,
        scale=project.settings.scale,
        command=command,
        data=_unique(SOURCES[origin["dataset"]].title for origin in origins),
        runs=list(facts.runs),
        minutes=_minutes(files, facts),
        commits=_unique(origin["git"] for origin in origins),
        packages=_unique(f"{name} {number}" for origin in origins for name, number in origin["packages"].items()),
        devices=_unique(origin["device"] for origin in origins),
        days=sorted({str(origin["created"])[:10] for origin in origins}),
        foot=f"{project.scale.description}. " + "; ".join(facts.reductions[study]) + ".",
        code=sorted({line for lines in [last, *(origin["code"] for origin in origins)] for line in lines.splitlines()}),
        sha256={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in outputs.values()},
    )
    judged = _judged(project, study, results)
    folder = gallery / study
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, path in outputs.items():
        kept = _small_picture(path) if suffix == ".png" else path.read_bytes()
        if len(kept) <= LARGEST_TABLE:
            (folder / f"{study}{suffix}").write_bytes(kept)
    judged.to_csv(folder / _CLAIMS, index=False, lineterminator="\n")
    (folder / _FACTS).write_text(made.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return Entry(folder)


def _outputs(study: str, files: Results) -> dict[str, Path]:
    if is_figure(study):
        return {".png": files.drawing(study), ".csv": files.points(study)}
    return {".md": files.table(study).with_suffix(".md"), ".csv": files.table(study)}


def _minutes(files: Results, facts: Facts) -> dict[str, float]:
    """By what was done, as Snakemake has recorded them."""
    return {
        what: round(sum(float(pd.read_csv(present(path), sep="\t")["s"].sum()) for path in paths) / 60, 1)
        for what, paths in files.benchmarks(facts).items()
        if paths
    }


def _judged(project: Project, study: str, results: Path) -> pd.DataFrame:
    item = item_of(study.partition("_")[0])
    claims = [claim for claim in read_ledger(project.folder / "claims.csv") if claim["item"] == item]
    plans = plan_claims(claims, project)

    def measured(claim: Claim) -> bool:
        return all((results / path).exists() for path in files_behind([claim], plans))

    judged = judge([claim for claim in claims if measured(claim)], plans, results, project.settings.scale == "paper")
    rest = pd.DataFrame([dict(claim.row) for claim in claims if not measured(claim)]).assign(verdict=NOT_RUN)
    whole = pd.concat([judged, rest]) if len(rest) else judged
    return whole.set_index("id").loc[[claim.id for claim in claims]].reset_index()


def _small_picture(path: Path) -> bytes:
    """A picture in 256 colours, scaled down until it is small enough."""
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
