"""The gallery: what it keeps of a finished figure, its report of code changes, and that its pages are up to date."""

import csv
import gzip
import hashlib
import shutil
from collections import Counter

import pandas as pd
import pytest
from PIL import Image

from sharpest.claims.ledger import read_ledgers
from sharpest.commands.main import main
from sharpest.config.studies import KINDS
from sharpest.pipeline.fingerprint import fingerprint
from sharpest.pipeline.gallery import held_of, pages
from sharpest.pipeline.gallery_entries import LARGEST_PICTURE, NOT_RUN, Entry, entries
from sharpest.results.paths import PAPER

from .conftest import ROOT, Project

RUN = "scnn-c10-sgd-lr0.01-S128-s777"
GALLERY = ROOT / "docs/gallery"
KEPT = entries(GALLERY)
LEDGERS = read_ledgers(ROOT / "config")
LEDGER = LEDGERS[PAPER]
ITEMS = {claim["item"] for ledger in LEDGERS.values() for claim in ledger}


@pytest.mark.slow
def test_what_is_kept_of_a_figure(edited: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With claims of the text on what the figure measures, and a claim on runs that are missing."""
    claim = f"sec3.2.alpha1.scnn,sec3.2,sign,It would raise the loss,{RUN},alpha_change_pct,1,+,,,yes,a,finding,,,\n"
    edited.edit(
        "config/claims.csv",
        lambda text: text.replace("fig7.top.lambda,fig7", "fig7.top.lambda,fig6") + claim
        + claim.replace("alpha1", "other").replace("lr0.01", "lr0.1"),
    )  # fmt: skip
    results = edited.folder / "results/tiny"
    shutil.rmtree(results / f"runs/{RUN}@e4/top")
    monkeypatch.chdir(edited.folder)
    assert main(["gallery", "fig06", "tab1"]) == 0
    entry = Entry(edited.folder / "docs/gallery/fig06")
    with Image.open(entry.folder / "fig06.png") as small, Image.open(results / "figures/fig06.png") as full:
        assert small.size == full.size
    assert entry.made.command == "snakemake --cores 2 results/tiny/figures/fig06.png"
    assert entry.made.runs == [RUN]
    assert set(entry.made.minutes) == {"training", "leading eigenpairs along training", "steps along directions"}
    names = {line.split()[0] for line in entry.made.code}
    assert {"scripts/draw_figure.py", "sharpest.figures.step_surface", "sharpest.curvature.lanczos"} <= names
    drawn = (results / "figures/fig06.csv").read_bytes()
    assert entry.made.sha256["fig06.csv"] == hashlib.sha256(drawn).hexdigest()
    verdicts = entry.claims.set_index("id")["verdict"]
    assert list(verdicts.index) == ["fig6.alpha2.scnn.sign", "fig7.top.lambda", "sec3.2.alpha1.scnn"]
    assert verdicts["fig7.top.lambda"] == NOT_RUN != verdicts["fig6.alpha2.scnn.sign"]
    page = (entry.folder / "README.md").read_text()
    for words in ("![Figure 6](fig06.png)", "[fig06.csv](fig06.csv), SHA-256", "since then | unchanged |",
                  "Not run: 1, `fig7.top.lambda`.", "also answer 1 claims about Section 3.2"):  # fmt: skip
        assert words in page
    table = edited.folder / "docs/gallery/tab1/README.md"
    assert (results / "tables/tab1.md").read_text().strip() in table.read_text()
    # many numbers are compressed
    monkeypatch.setattr("sharpest.pipeline.gallery_entries.LARGEST_TABLE", len(drawn) - 1)
    assert main(["gallery", "fig06"]) == 0
    assert gzip.decompress((entry.folder / "fig06.csv.gz").read_bytes()) == drawn
    assert not (entry.folder / "fig06.csv").exists()
    # an edit shows on the pages, and handwritten text stays
    edited.edit("src/sharpest/figures/step_surface.py", lambda text: text + "\nassert True\n")
    edited.edit("docs/gallery/fig06/README.md", lambda text: text + "\nA bowl forms.\n")
    assert edited.sharpest("gallery").returncode == 0
    page = (entry.folder / "README.md").read_text()
    assert "its code since then | changed |" in page
    assert page.endswith("\nA bowl forms.\n")
    assert (edited.folder / "docs/gallery/README.md").read_text().count("| changed |") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_code_of_every_kind_is_recorded(kind: str) -> None:
    code = f"sharpest.{KINDS[kind].made_by}"
    script = ROOT / f"workflow/scripts/{'write_table' if KINDS[kind].is_table else 'draw_figure'}.py"
    assert code.partition(":")[0] in fingerprint(script, code)


def test_only_scale_free_claims_count() -> None:
    rows = [("yes", "holds"), ("yes", "fails"), ("yes", "inconclusive"), ("yes", NOT_RUN), ("no", "not judged")]
    assert held_of(pd.DataFrame(rows, columns=["any_scale", "verdict"])) == (1, 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fig99"], "unknown figure or table 'fig99'; known: claims, fig01, "),
        (["fig06", "--scale", "huge"], "scale 'huge'"),
        (["fig06", "--configfile", "nowhere.yaml"], "nowhere.yaml"),
        (["fig06", "--scale", "quick"], "results/quick/figures/fig06.png: does not exist"),
    ],
)
def test_bad_input_is_one_line(
    compiled: Project,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(compiled.folder)
    assert main(["gallery", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (compiled.folder / "docs/gallery").exists()


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
