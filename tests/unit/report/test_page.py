"""The page model on a small results folder."""

from pathlib import Path

import numpy as np
import pytest
from unit.report.made_results import BRANCH, CENTRAL, CLAIMS, DIVERGED, FINISHED, SHA256, made_setup, write_results

from sharpest.config.studies import Alignment
from sharpest.errors import StoreError
from sharpest.pipeline.needs import files_of_report
from sharpest.report.build import _panels, build_page
from sharpest.report.measured import decimate
from sharpest.report.page import Page, render
from sharpest.report.paper import SECTIONS, Cell, item_of, read_comparison, title_of
from sharpest.results.record import write_record
from sharpest.results.runs import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("results") / "quick")


@pytest.fixture(scope="module")
def page(results: Results) -> Page:
    return build_page(made_setup(), results)


def test_items_come_in_order_with_their_claims(page: Page) -> None:
    assert [item.title for item in page.items] == ["Figure 6", "Figure 14", "Table 1", "Section 3.2", "Appendix E"]
    assert [len(item.claims) for item in page.items] == [3, 0, 2, 2, 1]
    assert page.figures[0].item.used == "the code's."
    assert page.figures[0].item.caption.endswith("figure.")


def test_unjudged_claims_are_not_successes(page: Page) -> None:
    assert (page.counts.holds, page.counts.fails, page.counts.inconclusive, page.counts.not_judged) == (3, 1, 2, 2)
    assert page.counts.judged == 4
    assert page.counts.total == len(CLAIMS)


def test_findings_are_counted_by_their_seeds_and_after_holms_correction(page: Page) -> None:
    """The check of Appendix E, the implied claim and unjudged claims are left out."""
    assert page.findings == {
        "3 seeds or more": {"holds": 1, "fails": 0, "inconclusive": 0},
        "fewer seeds": {"holds": 1, "fails": 1, "inconclusive": 1},
        "all, after Holm's correction": {"holds": 1, "fails": 0, "inconclusive": 3},
    }


def test_chance_is_shown_by_item_and_in_total(page: Page) -> None:
    assert [(row.title, row.claims, row.null_holds, row.p_as_claimed) for row in page.chance] == [
        ("Figure 6", 2, 0.25, 0.5),
        ("All", 2, 0.25, 0.5),
    ]


def test_a_claim_has_its_interval_and_its_marks(page: Page) -> None:
    order, _, implied = page.figures[0].item.claims
    assert (order.interval, order.marks) == ("at least 0.5", [])
    assert (implied.interval, implied.marks) == ("", ["implied by fig6.0"])
    assert page.texts[-1].claims[0].marks == ["sanity check, not a finding"]


def test_every_claim_is_counted_in_one_section(page: Page) -> None:
    assert sum(section.counts.total for section in page.sections) == len(CLAIMS)
    assert [section.title[:3] for section in page.sections] == ["3.2", "4 ·", "B ·", "E ·"]
    names = [name for section in SECTIONS for name in section.items]
    assert len(names) == len(set(names))


def test_expectations_are_words(page: Page) -> None:
    expected = [claim.expected for item in page.items for claim in item.claims]
    assert expected == [
        "0.1 > 5", "below 0", "0.5 to 1", "1018, within a factor of 2", "rises then falls", "86 %, ± 1.5", "above 0",
        "0, ± 1e-06",
    ]  # fmt: skip


def test_contradictions_come_first_starting_with_the_central_sentence(page: Page) -> None:
    """The inconclusive 0.7 is on the claimed side, the inconclusive -0.1 on the other."""
    assert [claim.id for claim in page.against] == [CENTRAL, "fig6.1"]


def test_the_central_sentence_is_shown_with_other_steps_of_its_run(page: Page) -> None:
    (steps,) = page.steps
    assert steps.net == FINISHED
    assert {alpha: claim.id for alpha, claim in steps.claims.items()} == {"0.5": "fig6.1", "1": CENTRAL}


def test_a_figure_names_claims_of_other_items_that_its_runs_answer(page: Page) -> None:
    assert [[claim.id for claim in item.beside] for item in page.items] == [["sec3.2.5", CENTRAL], [], [], [], []]


def test_runs_show_how_they_ended(page: Page) -> None:
    ends = {run.name: (run.end, run.epochs) for run in page.runs}
    assert ends == {
        FINISHED: ("complete", 4.0),
        DIVERGED: ("diverged at epoch 2.4", 2.4),
        BRANCH: ("stopped at the plateau", 4.0),
    }
    assert [run.name for run in page.diverged] == [DIVERGED]
    assert page.runs[0].seconds == 3.5


def test_a_part_of_the_text_links_to_runs_only(page: Page) -> None:
    assert [item.runs for item in page.texts] == [(FINISHED,), ()]


def test_provenance(page: Page) -> None:
    (data,) = page.datasets
    assert (data.paper, data.used, data.sha256) == ("CIFAR-10", "scikit-learn digits", SHA256)
    assert {origin.what: origin.values for origin in page.origins}["Commit"] == (("1234567+", 6),)
    spectra = page.qualities[0]
    assert (spectra.points, spectra.products, spectra.missed, spectra.checked) == (6, 66, 2, 4)


def test_departures_name_the_affected_items(page: Page) -> None:
    (departure,) = page.departures
    assert [item.title for item in departure.items] == ["Figure 6", "Table 1"]
    assert not page.reproduction


def test_the_explorer_omits_unmeasured_values(page: Page) -> None:
    curve = page.explorer["curves"][f"{FINISHED}/step"]
    assert curve == {"epoch": [0.0, 1.0], "value": [1.0, 30.0], "missed": 1, "points": 2}
    assert [panel["title"] for panel in page.explorer["panels"]] == ["Figure 6", "Figure 14"]


def test_the_explorer_lists_every_seed_of_a_curve() -> None:
    panel = {"title": "P", "curves": [{"run": FINISHED, "schedule": "step", "label": "SGD"}]}
    study = Alignment.model_validate({"kind": "alignment", "caption": "", "smoothing": 1, "panels": [panel]})
    ((title, curves),) = _panels("Figure 5", study.of_seeds((1001, 1002)))
    assert title == "Figure 5: P"
    assert [(curve.label, curve.run) for curve in curves] == [
        (f"SGD, seed {seed}", FINISHED.replace("s777", f"s{seed}")) for seed in (1001, 1002)
    ]
    ((_, curves),) = _panels("Figure 5", study)
    assert [curve.label for curve in curves] == ["SGD"]


def test_a_table_shows_means_and_not_the_single_seeds(tmp_path: Path) -> None:
    path = tmp_path / "tab1.csv"
    path.write_text(
        "row,column,run,value,spread,seeds,paper\n"
        'a,dist,"mean of 1001, 1002",3,1.4,2,5\na,dist,run-s1001,2,,1,\na,dist,run-s1002,4,,1,\n'
    )
    (row,) = read_comparison(path).rows
    assert row.seeds == 2
    assert [(cell.value, cell.spread, cell.paper) for cell in row.cells] == [(3, 1.4, 5)]


def test_differences_are_marked(page: Page) -> None:
    norm, accuracy, distance = page.tables[0].comparison.rows[0].cells
    assert (norm.nearness, round(norm.difference, 3)) == ("far", 0.106)
    assert (accuracy.nearness, round(accuracy.difference, 2)) == ("far", 9.37)
    assert distance.nearness is None
    near, missing, _ = page.tables[0].comparison.rows[1].cells
    assert near.nearness == "near"
    assert missing.nearness is None


@pytest.mark.parametrize(
    ("value", "paper", "points", "nearness"),
    [
        (1.25, 1, False, "near"), (0.8, 1, False, "near"), (0.79, 1, False, "apart"), (2.1, 1, False, "far"),
        (0, 1, False, "far"), (1, 0, False, None), (86, 88, True, "near"), (83, 88, True, "apart"),
        (80, 88, True, "far"),
    ],
)  # fmt: skip
def test_nearness_has_no_direction(value: float, paper: float, points: bool, nearness: str | None) -> None:
    assert Cell(value, float("nan"), paper, points).nearness == nearness


@pytest.mark.parametrize("name", ["figures/fig06.png", "figures/fig14.csv", "tables/tab1.csv", "claims.csv"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    results = write_results(tmp_path / "quick")
    (results.paths.folder / name).unlink()
    with pytest.raises(StoreError, match=f"{name}: does not exist"):
        build_page(made_setup(), results)


@pytest.mark.parametrize("name", ["figures/fig06.png", "figures/fig14.csv", "tables/tab1.csv", "claims.csv"])
def test_a_changed_file_is_named_with_the_command_that_remakes_it(name: str, tmp_path: Path) -> None:
    results = write_results(tmp_path / "quick")
    path = results.paths.folder / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match=f"{name}: has changed since it was written .* --forcerun {path} -- {path}$"):
        build_page(made_setup(), results)


def test_what_nothing_checks_is_not_read(tmp_path: Path) -> None:
    """A record of time beside the log of a job has no digest."""
    results = write_results(tmp_path / "quick")
    expected = build_page(made_setup(), results)
    record = results.paths.benchmark("train", FINISHED)
    record.parent.mkdir(parents=True)
    record.write_text("s\n1e9\n")
    assert render(build_page(made_setup(), results)) == render(expected)


@pytest.mark.parametrize(
    ("old", "new", "message"), [("verdict", "ruling", "lacks verdict"), (",holds,", ",maybe,", "'maybe'")]
)
def test_a_foreign_ledger_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    results = write_results(tmp_path / "quick")
    path = results.paths.claims("csv")
    path.write_text(path.read_text().replace(old, new))
    write_record(results.paths, [path, results.paths.claims("by_chance.csv")], {})
    with pytest.raises(StoreError, match=message):
        build_page(made_setup(), results)


def test_a_report_reads_what_it_declares(results: Results) -> None:
    paths = files_of_report(made_setup(), results.paths)
    assert len(paths) == len(set(paths))
    assert all(path.exists() for path in paths)


def test_decimation_keeps_ends_and_peaks() -> None:
    values = np.random.default_rng(0).standard_normal(10_000)
    kept = decimate(values, 600)
    assert len(kept) <= 600
    assert (np.diff(kept) > 0).all()
    assert {0, 9_999, values.argmax(), values.argmin()} <= set(kept)
    assert list(decimate(values[:600], 600)) == list(range(600))


@pytest.mark.parametrize(
    ("study", "item", "title"),
    [
        ("fig06", "fig6", "Figure 6"),
        ("fig20", "fig20", "Figure 20"),
        ("tab1", "tab1", "Table 1"),
        ("batch_sharpness", "batch_sharpness", "Batch sharpness"),
        ("second_order", "second_order", "Second order"),
    ],
)
def test_names(study: str, item: str, title: str) -> None:
    assert item_of(study) == item
    assert title_of(item) == title


def test_a_figure_has_its_notes(page: Page) -> None:
    assert page.figures[0].drawing.notes == ("One seed <b>diverged</b>.", "Fewer examples.")
