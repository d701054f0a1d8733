"""The gallery: what it keeps of a finished figure, its report of code changes, and that its pages are up to date."""

import csv
import gzip
import hashlib
import shutil
import subprocess
from collections import Counter

import pandas as pd
import pytest
from PIL import Image

from sharpest.claims.ledger import read_ledgers
from sharpest.pipeline.gallery import held_of, pages
from sharpest.pipeline.gallery_entries import LARGEST_PICTURE, NOT_RUN, Entry, entries
from sharpest.results.paths import PAPER

from .conftest import ROOT, Project

GALLERY = ROOT / "docs/gallery"
KEPT = entries(GALLERY)
LEDGERS = read_ledgers(ROOT / "config")
LEDGER = LEDGERS[PAPER]
ITEMS = {claim["item"] for ledger in LEDGERS.values() for claim in ledger}


def gallery(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return project.sharpest("gallery", *arguments)


@pytest.fixture
def kept(edited: Project) -> Project:
    """A finished project that keeps a figure and a table."""
    result = gallery(edited, "fig06", "tab1")
    assert result.returncode == 0, result.stderr
    return edited


def test_an_entry_records_what_made_it(kept: Project) -> None:
    folder, results = kept.folder / "docs/gallery/fig06", kept.folder / "results/tiny/figures"
    made = Entry(folder).made
    assert made.command == "snakemake --cores 2 results/tiny/figures/fig06.png"
    assert made.runs == ["scnn-c10-sgd-lr0.01-S128-s777"]
    assert made.sha256["fig06.csv"] == hashlib.sha256((folder / "fig06.csv").read_bytes()).hexdigest()
    assert set(made.minutes) == {"training", "leading eigenpairs along training", "steps along directions"}
    names = {line.split()[0] for line in made.code}
    assert {"scripts/draw_figure.py", "sharpest.figures.step_surface", "sharpest.curvature.lanczos"} <= names
    assert "sharpest.figures.curvature" not in names
    with Image.open(folder / "fig06.png") as small, Image.open(results / "fig06.png") as drawn:
        assert small.size == drawn.size
    claims = Entry(folder).claims
    assert list(claims["id"]) == ["fig6.alpha2.scnn.sign"]
    assert "Claims of other items" not in (folder / "README.md").read_text()
    page = (folder / "README.md").read_text()
    assert "![Figure 6](fig06.png)" in page
    assert "its code since then | unchanged |" in page
    table = (kept.folder / "docs/gallery/tab1/README.md").read_text()
    assert (kept.folder / "results/tiny/tables/tab1.md").read_text().strip() in table


def test_many_numbers_are_compressed(kept: Project) -> None:
    folder, drawn = kept.folder / "docs/gallery/fig06", kept.folder / "results/tiny/figures/fig06.csv"
    limit = str(drawn.stat().st_size - 1)
    kept.edit("src/sharpest/pipeline/gallery_entries.py", lambda text: text.replace("300_000", limit))
    assert gallery(kept, "fig06").returncode == 0
    assert gzip.decompress((folder / "fig06.csv.gz").read_bytes()) == drawn.read_bytes()
    assert not (folder / "fig06.csv").exists()
    assert "[fig06.csv.gz](fig06.csv.gz), SHA-256" in (folder / "README.md").read_text()


def test_only_scale_free_claims_count() -> None:
    rows = [("yes", "holds"), ("yes", "fails"), ("yes", "inconclusive"), ("yes", NOT_RUN), ("no", "not judged")]
    assert held_of(pd.DataFrame(rows, columns=["any_scale", "verdict"])) == (1, 3)


def test_an_edit_shows_on_the_pages_and_handwritten_text_stays(kept: Project) -> None:
    kept.edit("src/sharpest/figures/step_surface.py", lambda text: text + "\nassert True\n")
    kept.edit("docs/gallery/fig06/README.md", lambda text: text + "\nA bowl forms.\n")
    assert gallery(kept).returncode == 0
    figure, table, index = (kept.folder / f"docs/gallery/{name}README.md" for name in ("fig06/", "tab1/", ""))
    assert "its code since then | changed |" in figure.read_text()
    assert figure.read_text().endswith("\nA bowl forms.\n")
    assert "its code since then | unchanged |" in table.read_text()
    assert index.read_text().count("| changed |") == 1


def test_a_claim_on_runs_that_are_missing_is_not_run(edited: Project) -> None:
    edited.edit("config/claims.csv", lambda text: text.replace("fig7.top.lambda,fig7", "fig7.top.lambda,fig6"))
    shutil.rmtree(edited.folder / "results/tiny/runs/scnn-c10-sgd-lr0.01-S128-s777@e4/top")
    result = gallery(edited, "fig06")
    assert result.returncode == 0, result.stderr
    claims = Entry(edited.folder / "docs/gallery/fig06").claims.set_index("id")["verdict"]
    assert claims["fig7.top.lambda"] == NOT_RUN != claims["fig6.alpha2.scnn.sign"]
    assert "Not run: 1, `fig7.top.lambda`." in (edited.folder / "docs/gallery/fig06/README.md").read_text()


def test_a_claim_of_the_text_is_judged_on_the_page_of_the_figure_that_measures_it(edited: Project) -> None:
    run = "scnn-c10-sgd-lr0.01-S128-s777"
    row = f"sec3.2.alpha1.scnn,sec3.2,sign,It would raise the loss,{run},alpha_change_pct,1,+,,,yes,a,finding,,,\n"
    edited.edit(
        "config/claims.csv", lambda text: text + row + row.replace("alpha1", "other").replace("lr0.01", "lr0.1")
    )
    assert gallery(edited, "fig06", "tab1").returncode == 0
    entry = Entry(edited.folder / "docs/gallery/fig06")
    assert list(entry.claims["id"]) == ["fig6.alpha2.scnn.sign", "sec3.2.alpha1.scnn"]
    assert list(entry.about["id"]) == ["fig6.alpha2.scnn.sign"]
    assert "also answer 1 claims about Section 3.2" in (entry.folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fig99"], "unknown figure or table 'fig99'; known: claims, fig01, "),
        (["fig06", "--scale", "huge"], "scale 'huge'"),
        (["fig06", "--configfile", "nowhere.yaml"], "nowhere.yaml"),
        (["fig06", "--scale", "quick"], "results/quick/figures/fig06.png: does not exist"),
    ],
)
def test_bad_input_is_one_line(tiny: Project, arguments: list[str], said: str) -> None:
    result = gallery(tiny, *arguments)
    assert result.returncode == 1
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tiny.folder / "docs/gallery").exists()


def test_the_pages_are_up_to_date() -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, text in pages(GALLERY, ROOT / "workflow/scripts", LEDGER).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "refresh them with: sharpest gallery"


def test_the_first_page_counts_as_the_table_of_its_scale_does_and_contradictions_come_first() -> None:
    (scale,) = {entry.made.scale for entry in KEPT if not entry.made.beyond}
    with (GALLERY / f"claims-{scale}/claims.csv").open(newline="", encoding="utf-8") as file:
        verdicts = {row["id"]: row["verdict"] for row in csv.DictReader(file) if row["any_scale"] == "yes"}
    counts = Counter(verdicts.values())
    text = (GALLERY / "README.md").read_text(encoding="utf-8")
    counted = f"{counts['holds']} hold, {counts['fails']} fail, {counts['inconclusive']} inconclusive."
    assert f"{len(verdicts)} were judged: {counted}" in text
    assert len(verdicts) == sum(claim.any_scale for claim in LEDGER)
    assert "Not run, or not kept here" not in text
    failed = [name for name, verdict in verdicts.items() if verdict == "fails"]
    against = text.partition("## Against the paper")[2].partition("\n## ")[0]
    assert all(f"`{name}`" in against for name in failed)
    rows = [line for line in against.splitlines() if line.startswith("| [")]
    assert "`sec3.2.alpha1.r32`" in rows[0]  # it fails, the other is inconclusive
    assert "`sec3.2.alpha1.scnn`" in rows[1]


@pytest.mark.parametrize("entry", KEPT, ids=[entry.made.study for entry in KEPT])
def test_an_entry_of_the_repository_is_complete(entry: Entry) -> None:
    made, claims = entry.made, entry.about
    picture, points, compressed = map(entry.kept, (".png", ".csv", ".csv.gz"))
    assert picture is None or picture.stat().st_size <= LARGEST_PICTURE
    assert not (points and compressed)
    if points or compressed:
        content = points.read_bytes() if points else gzip.decompress(compressed.read_bytes())
        assert hashlib.sha256(content).hexdigest() == made.sha256[f"{made.study}.csv"]
    assert "unknown" not in made.commits
    assert sum(made.minutes.values()) > 0
    by_hand = (entry.folder / "README.md").read_text(encoding="utf-8").partition("written by hand -->")[2]
    assert all(name in by_hand for name in claims.loc[claims["verdict"].isin(["fails", "inconclusive"]), "id"])
    assert pd.to_numeric(claims["value"], errors="coerce").notna().any() == (entry.item in ITEMS)
