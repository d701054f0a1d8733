"""Keep finished studies in the gallery of the docs, and write its pages.

A page has a generated part between two marks, and text written by hand below it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from sharpest.claims.ledger import Claim
from sharpest.claims.report import claims_table
from sharpest.config.project import Project
from sharpest.errors import ConfigError
from sharpest.pipeline.fingerprint import changed_since
from sharpest.pipeline.gallery_entries import (
    CLAIMS,
    NOT_RUN,
    PAGE,
    Entry,
    collect,
    collect_claims,
    entries,
    judge_measured,
    read_texts,
    verdict_lines,
)
from sharpest.report.ledger import against_paper
from sharpest.report.paper import CENTRAL, title_of
from sharpest.results.paths import BEYOND, PAPER, Paths

GALLERY = Path("docs/gallery")
SCRIPTS = Path("workflow/scripts")
_BEGIN, _END = "<!-- written by: sharpest gallery -->", "<!-- the rest is written by hand -->"


def pages(gallery: Path, scripts: Path, ledger: Sequence[Claim]) -> dict[Path, str]:
    """Path -> current text of every page; the text below the mark is kept."""
    listed = entries(gallery)
    written = {gallery / PAGE: _index(gallery, listed, scripts, ledger)} | {
        entry.folder / PAGE: _entry_page(entry, scripts) for entry in listed
    }
    return {path: f"{_BEGIN}\n{text}\n{_END}\n{by_hand(path)}" for path, text in written.items()}


def by_hand(path: Path) -> str:
    """The text below the mark of a page; empty if there is no page yet."""
    return path.read_text(encoding="utf-8").partition(f"{_END}\n")[2] if path.exists() else ""


def _index(gallery: Path, listed: Sequence[Entry], scripts: Path, ledger: Sequence[Claim]) -> str:
    claims = once([entry for entry in listed if not entry.made.beyond])
    free = {claim.id: title_of(claim["item"]) for claim in ledger if claim.any_scale}
    rows = []
    for entry in listed:
        made, (held, judged) = entry.made, held_of(entry.about)
        rows.append(
            f"| [{made.title}]({made.study}/{PAGE}) | {made.scale} | {', '.join(made.data)} | {held} of {judged} | "
            f"{sum(made.minutes.values()):.0f} | {_commits(entry)} | {_age(entry, scripts)} |"
        )
    return "\n".join([
        "# Gallery",
        "",
        f"The ledger has {len(free)} scale-free claims. {_counted(claims)} The other {len(ledger) - len(free)} claims "
        "are about absolute sizes and are judged only at the paper's scale. A claim on several pages counts once.",
        "",
        *verdict_lines(gallery),
        *_against(claims),
        "## Figures and tables",
        "",
        "| | scale | data | scale-free claims that hold | minutes of its jobs | made by commit | its code since then |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        _not_run(free, claims),
    ])  # fmt: skip


def once(listed: Sequence[Entry]) -> pd.DataFrame:
    """The claims of all pages and of the tables of their scales, without repetition.

    A claim about the text alone, such as Section 4, may be on no page. Only the table of the scale has it.

    Returns:
        The rows of the claims as texts, with the title and folder of the first page that judges each.
    """
    parts = [entry.claims.assign(page=entry.made.title, folder=entry.made.study) for entry in listed]
    tables = {entry.folder.with_name(f"{CLAIMS}-{entry.made.scale}") for entry in listed}
    parts += [
        read_texts(table).assign(page="All claims", folder=table.name) for table in sorted(tables) if table.is_dir()
    ]
    if not parts:
        return pd.DataFrame(columns=["id", "any_scale", "verdict"])
    claims = pd.concat(parts).fillna("").sort_values("verdict", key=lambda verdict: verdict == NOT_RUN, kind="stable")
    return claims.drop_duplicates("id").reset_index(drop=True)


def _against(claims: pd.DataFrame) -> list[str]:
    """The section on claims against the paper: those on its central sentence first, then failures."""
    against = claims[claims.apply(against_paper, axis=1)] if len(claims) else claims
    if against.empty:
        return []
    order = 2 * ~against["id"].str.startswith(CENTRAL) + (against["verdict"] != "fails")
    against = against.loc[order.sort_values(kind="stable").index]
    linked = "[" + against["page"] + "](" + against["folder"] + f"/{PAGE}): " + against["statement"]
    return [
        "## Against the paper",
        "",
        "Claims that fail, and inconclusive claims whose number, ignoring its error, is not as claimed. Claims on the "
        "paper's central sentence, that SGD's own step along e_1 would raise the loss, come first.",
        "",
        _claims_table(against.assign(statement=linked)),
        "",
    ]


def _counted(claims: pd.DataFrame) -> str:
    """A sentence with the number of judged scale-free claims, by verdict."""
    free = claims[(claims["any_scale"] == "yes") & (claims["verdict"] != NOT_RUN)]
    verdicts = Counter(free["verdict"])
    return (
        f"{len(free)} were judged: {verdicts['holds']} hold, {verdicts['fails']} fail, {verdicts['inconclusive']} "
        "inconclusive."
    )


def _not_run(free: dict[str, str], claims: pd.DataFrame) -> str:
    """A sentence with the number of scale-free claims that are on no page, by figure, table and section."""
    judged = set(claims.loc[~claims["verdict"].isin([NOT_RUN, "not_judged"]), "id"])
    missing, totals = Counter(title for name, title in free.items() if name not in judged), Counter(free.values())
    items = ", ".join(f"{title} ({count} of {totals[title]})" for title, count in missing.items())
    return (
        f"Not run, or not kept here: {missing.total()} of {len(free)} scale-free claims. They are about {items}."
        if missing
        else ""
    )


def _entry_page(entry: Entry, scripts: Path) -> str:
    made, claims = entry.made, entry.claims
    about = entry.about
    picture, table = entry.kept(".png"), entry.kept(".md")
    missing = claims[claims["verdict"] == NOT_RUN]
    points = entry.kept(".csv") or entry.kept(".csv.gz")
    digest = made.sha256[f"{made.study}.csv"]
    rows = {
        "command": f"`{made.command}`",
        "data": ", ".join(made.data),
        "runs": ", ".join(f"`{run}`" for run in made.runs),
        "elapsed minutes of its jobs": ", ".join(f"{minutes:g} {what}" for what, minutes in made.minutes.items()),
        "made by": f"commit {_commits(entry)}, {' and '.join(made.days)}; {', '.join(made.packages)}; "
        + ", ".join(made.devices),
        "its code since then": _age(entry, scripts),
        "numbers": (f"[{points.name}]({points.name})" if points else "not kept, too large") + f", SHA-256 `{digest}`",
    }
    parts = [
        f"# {made.title}",
        f"![{made.title}]({picture.name})" if picture else "",
        # the text of a table contains its caption and what was reduced
        table.read_text(encoding="utf-8").strip() if table else f"*{made.caption}*",
        "\n".join(["| | |", "|---|---|", *(f"| {what} | {text} |" for what, text in rows.items())]),
        "" if table else f"Differences from the paper: {made.foot}",
        "## Claims",
        f"The ledger has {(about['any_scale'] == 'yes').sum()} scale-free claims about this item. {_counted(about)} "
        "How verdicts are reached: [claims.md](../../claims.md).",
        _claims_table(about[about["verdict"] != NOT_RUN]),
        f"Not run: {len(missing)}, {', '.join(f'`{name}`' for name in missing['id'])}." if len(missing) else "",
        *_beside(claims[claims["item"] != entry.item]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _beside(claims: pd.DataFrame) -> list[str]:
    """The section on claims about other items that the same runs answer."""
    if claims.empty:
        return []
    items = " and ".join(map(title_of, claims["item"].unique()))
    return [
        "## Claims of other items",
        f"The same runs, measured at the same points, also answer {len(claims)} claims about {items}, of which "
        f"{(claims['any_scale'] == 'yes').sum()} are scale-free. {_counted(claims)}",
        _claims_table(claims),
    ]


def held_of(claims: pd.DataFrame) -> tuple[int, int]:
    """Number of scale-free claims that hold, and number judged."""
    judged = claims[(claims["any_scale"] == "yes") & (claims["verdict"] != NOT_RUN)]
    return int((judged["verdict"] == "holds").sum()), len(judged)


def _claims_table(claims: pd.DataFrame) -> str:
    names = ("value", "error", "low", "high", "p", "null_holds", "seeds")
    numbers = claims.assign(**{name: pd.to_numeric(claims[name]) for name in names})
    return claims_table(numbers) if len(claims) else ""


def _commits(entry: Entry) -> str:
    return ", ".join(f"{commit[:10]}{'+' * commit.endswith('+')}" for commit in entry.made.commits)


def _age(entry: Entry, scripts: Path) -> str:
    return "changed" if changed_since(entry.made.code, scripts) else "unchanged"


def keep(
    project: Project, ledgers: Mapping[str, Sequence[Claim]], studies: Sequence[str], options: Sequence[str]
) -> None:
    """Copy finished studies of a scale into the gallery, and write its pages.

    Args:
        project: The project.
        ledgers: Ledger -> its claims.
        studies: Names of finished figures and tables, or ``claims``; if empty, only the pages are updated.
        options: Options of snakemake that chose scale and data.

    Raises:
        ConfigError: If a study does not exist.
        StoreError: If a file behind a study is missing or damaged.
    """
    paths = Paths.of(project.settings.scale)
    judged = cache(lambda ledger: judge_measured(project, ledgers[ledger], paths))
    for study in studies:
        if study == CLAIMS:
            collect_claims(paths, GALLERY)
            continue
        if study not in project.studies:
            raise ConfigError(f"unknown figure or table {study!r}; known: {CLAIMS}, {', '.join(project.studies)}")
        ledger = BEYOND if study in project.beyond else PAPER
        target = paths.table(study, "csv") if project.studies[study].is_table else paths.figure(study, "png")
        command = " ".join(["snakemake --cores 2", str(target), *options])
        collect(project, ledgers[ledger], judged(ledger), study, paths, SCRIPTS, command, GALLERY)
    for path, text in pages(GALLERY, SCRIPTS, ledgers[PAPER]).items():
        path.write_text(text, encoding="utf-8")
