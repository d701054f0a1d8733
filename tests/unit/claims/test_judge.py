"""From files to verdicts: each kind of claim both ways, over several seeds, compared with scipy and statsmodels."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from sharpest.claims.judgement import judge
from sharpest.claims.ledger import Claim
from sharpest.claims.quantity import RunSource
from sharpest.config.run_id import RunId

from .conftest import SCHEDULES, made_claim, of_seeds

THREE = (1001, 1002, 1003)
LARGE, SMALL, FIVE_LRS = (10.0, 11.0, 12.5), (5.0, 6.2, 7.0), ("0.001", "0.005", "0.01", "0.05", "0.1")


def runs_of(*lrs: str, seeds: tuple[int, ...] = THREE) -> list[str]:
    return [run for lr in lrs for run in of_seeds(f"scnn-c10-sgd-lr{lr}-S128-s777", seeds)]


def distances(folder: Any, **values: Any) -> None:
    """End points of runs by learning rate, written with an underscore for the point."""
    for lr, row in values.items():
        for run, value in zip(runs_of(lr[1:].replace("_", "."), seeds=(1001, 1002, 1003, 1004)), row, strict=False):
            folder.evaluations(run, distance=[value, value], test_accuracy=[value / 100] * 2)


def order(expected: str = "0.1>1", runs: list[str] | None = None, **cells: str) -> Claim:
    return made_claim("dist", "order", expected, runs or runs_of("0.1", "1"), **cells)


def test_an_order_both_ways(folder: Any, judged: Any) -> None:
    distances(folder, r0_1=LARGE, r1=SMALL)
    table, _ = judged(order(id="right"), order("1>0.1", id="wrong"))
    right, wrong = table.to_dict("records")
    test = stats.ttest_rel(LARGE, SMALL)
    interval = test.confidence_interval(0.95)
    assert (right["verdict"], wrong["verdict"]) == ("holds", "fails")
    assert right["p"] == wrong["p"] == pytest.approx(test.pvalue)
    assert right["value"] == -wrong["value"] == pytest.approx(np.subtract(LARGE, SMALL).mean())
    assert right["error"] == pytest.approx(stats.sem(np.subtract(LARGE, SMALL)))
    assert (right["low"], right["high"]) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert (right["seeds"], right["as_claimed"], wrong["as_claimed"]) == (3, "yes", "no")
    # of 8 permutations of three seeds, half give the claimed sign of the mean
    differences = [np.multiply(signs, np.subtract(LARGE, SMALL)) for signs in itertools.product((1, -1), repeat=3)]
    holding = [stats.ttest_1samp(each, 0).pvalue <= 0.05 and each.mean() > 0 for each in differences]
    assert right["p_null"] == 1 / 8
    assert wrong["p_null"] == 1
    assert right["null_holds"] == wrong["null_holds"] == np.mean(holding)
    assert right["null_as_claimed"] == np.mean([each.mean() > 0 for each in differences])
    assert right["reason"] == "required of the decisive difference: above 0; 0.1: 11.2, 1: 6.07"


def test_of_an_order_the_statement_that_decides_is_shown(folder: Any, judged: Any) -> None:
    distances(folder, r0_01=(30, 31.1, 32), r0_1=LARGE, r1=(9.0, 11.5, 12.0))
    claim = made_claim("dist", "order", "0.01>0.1>1", runs_of("0.01", "0.1", "1"))
    (row,) = judged(claim)[0].to_dict("records")
    assert row["verdict"] == "inconclusive"
    assert row["value"] == pytest.approx(np.subtract(LARGE, (9, 11.5, 12)).mean())
    # if one of two statements fails, it does so at half of 5 %
    turned = made_claim("dist", "order", "1>0.1>0.01", runs_of("0.01", "0.1", "1"))
    (row,) = judged(turned)[0].to_dict("records")
    assert row["verdict"] == "fails"
    assert row["p"] == pytest.approx(2 * stats.ttest_rel((30, 31.1, 32), LARGE).pvalue)
    assert row["value"] == pytest.approx(-np.subtract((30, 31.1, 32), LARGE).mean())


def test_one_seed_between_runs_decides_nothing_and_is_marked(folder: Any, judged: Any) -> None:
    distances(folder, r0_1=LARGE, r1=SMALL)
    (row,) = judged(order(runs=runs_of("0.1", "1", seeds=(1001,))))[0].to_dict("records")
    assert (row["verdict"], row["seeds"], row["value"], row["p"]) == ("inconclusive", 1, 5, 1)
    assert math.isnan(row["error"])
    assert row["reason"].endswith("one seed: the spread between runs is unknown")
    assert row["as_claimed"] == "yes"


def test_a_seed_that_diverged_is_left_out_everywhere_and_named(folder: Any, judged: Any) -> None:
    distances(folder, r0_1=(*LARGE, 1.0), r1=(*SMALL, 99.0))
    runs = runs_of("0.1", "1", seeds=(*THREE, 1004))
    assert judged(order(runs=runs))[0]["verdict"].tolist() == ["inconclusive"]
    folder.evaluations(runs[-1], diverged=2.5)
    (row,) = judged(order(runs=runs))[0].to_dict("records")
    assert (row["verdict"], row["seeds"]) == ("holds", 3)
    assert row["p"] == pytest.approx(stats.ttest_rel(LARGE, SMALL).pvalue)
    assert f"{runs[-1]} left out: diverged at epoch 2.5" in row["reason"]


def test_no_seed_left_to_judge(folder: Any, judged: Any) -> None:
    runs = runs_of("0.1", "1")
    for run in runs:
        folder.evaluations(run, diverged=2.5)
    (row,) = judged(order())[0].to_dict("records")
    assert (row["verdict"], row["seeds"], row["p"], row["as_claimed"]) == ("inconclusive", 0, 1, "")
    assert row["reason"].count("left out: diverged at epoch 2.5") == 6
    assert all(math.isnan(row[name]) for name in ("value", "error", "low", "high", "p_null"))


def test_a_scale_with_fewer_seeds(folder: Any, judged: Any) -> None:
    distances(folder, r0_1=LARGE, r1=SMALL)
    runs = runs_of("0.1", "1", seeds=(*THREE, 1004, 1005))
    table, _ = judged(order(runs=runs), without=[run for run in runs if run.endswith(("4", "5"))])
    assert table["seeds"].tolist() == [3]
    assert table["verdict"].tolist() == ["holds"]
    assert "left out" not in table["reason"].iloc[0]


def test_a_range_both_ways(folder: Any, judged: Any) -> None:
    distances(folder, r0_1=LARGE)
    runs = runs_of("0.1")
    cells = [{"id": "in", "expected": "5..18"}, {"id": "out", "expected": "0..6"}, {"id": "on", "expected": "10.5..12"}]
    table, _ = judged(*(made_claim("dist", "range", runs=runs, **cell) for cell in cells))
    assert table["verdict"].tolist() == ["holds", "fails", "inconclusive"]
    assert table["p"]["in"] == pytest.approx(2 * DescrStatsW(np.array(LARGE)).ttost_mean(5, 18)[0])
    assert table["p"]["out"] == pytest.approx(2 * stats.ttest_1samp(LARGE, 6, alternative="greater").pvalue)
    assert table["reason"]["in"].startswith("required: at least 5 and at most 18")
    assert table["reason"]["in"].endswith("one level, nothing to permute")
    assert table["p_null"].isna().all()


def test_values_of_a_table_are_permuted_among_its_rows(folder: Any, judged: Any) -> None:
    """Each seed's number may be that of any of three rows; in one of 27 permutations all are those of the claim."""
    distances(folder, r0_01=(30, 31, 32), r0_1=LARGE, r1=(1.0, 2.0, 3.0))
    claims = [
        made_claim("dist", "value", value, runs_of(lr), id=lr, tolerance="abs:4")
        for lr, value in (("0.01", "31"), ("0.1", "11"), ("1", "11"))
    ]
    table, chance = judged(*claims)
    assert table["verdict"].tolist() == ["holds", "holds", "fails"]
    assert table["p_null"].iloc[0] == pytest.approx(1 / 27)
    # of the mean over seeds, which lies between 7 and 15 in some of the 27
    means = [np.mean(each) for each in itertools.product(*zip((30, 31, 32), LARGE, (1.0, 2.0, 3.0), strict=True))]
    assert table["null_as_claimed"].iloc[1] == pytest.approx(np.mean([7 <= mean <= 15 for mean in means]))
    assert chance.loc["all", "claims"] == 3
    assert chance.loc["all", "holds"] == 2
    alone, _ = judged(claims[0])
    assert math.isnan(alone["p_null"].iloc[0])


def test_rows_of_a_table_with_other_numbers_of_seeds_are_not_permuted(folder: Any, judged: Any) -> None:
    distances(folder, r0_01=(30, 31, 32), r0_1=LARGE, r1=(1.0, 2.0, 3.0))
    seeds = {"0.01": THREE, "0.1": THREE, "1": THREE[:2]}
    claims = [made_claim("dist", "sign", "+", runs_of(lr, seeds=own), id=lr) for lr, own in seeds.items()]
    table, _ = judged(*claims)
    assert table["p_null"]["0.01"] == 1 / 8  # of two rows of three seeds
    assert math.isnan(table["p_null"]["1"])


def test_facets_are_compared_within_each_group_of_runs(folder: Any, judged: Any) -> None:
    """At both learning rates the loss falls more at alpha 0.5, though less at the second rate than at the first."""
    for lr, level in (("0.1", -0.5), ("1", 0.5)):
        for seed, run in enumerate(runs_of(lr)):
            change = np.zeros((12, 3, 5))
            change[:, 0, :2] = [level + 0.1, level - 0.1 + 0.001 * seed]
            folder.spectra(run, "grid", np.ones(12))
            folder.directions(run, "grid", 12, loss_change=change)
    claim = made_claim("alpha_change_pct_all", "order", "0.25>0.5", runs_of("0.1", "1"))
    assert judged(claim)[0]["verdict"].tolist() == ["holds"]


def test_a_trend_over_levels(folder: Any, judged: Any) -> None:
    """Correlations of 1, 0.9 and 1 in three seeds."""
    rows = np.array([[1, 1, 1], [2, 3, 2], [3, 2, 3], [4, 4, 4], [5, 5, 5.0]])
    for lr, row in zip(FIVE_LRS, rows, strict=True):
        distances(folder, **{f"r{lr.replace('.', '_')}": row})
    table, _ = judged(*(made_claim("dist", "trend", way, runs_of(*FIVE_LRS), id=way) for way in ("rises", "falls")))
    test = stats.ttest_1samp((1, 0.9, 1), 0.5)
    assert table["verdict"].tolist() == ["holds", "fails"]
    assert table["value"].tolist() == pytest.approx([2.9 / 3] * 2)
    assert table["p"].iloc[0] == pytest.approx(test.pvalue)
    assert table["p_null"].iloc[0] < 0.01 < table["p_null"].iloc[1]


def alphas(folder: Any, run: str, t: int = 200, random: bool = True, sign: float = 1.0, noise: float = 0.01) -> None:
    """The loss falls by about 2 per cent at alpha 0.5 along e_1, and only by noise along a random direction."""
    rng = np.random.default_rng(len(run) + int(run[-1]))
    change = noise * rng.standard_normal((t, 3 + random, 5))
    change[:, 0, 1] -= 0.04 * sign
    folder.spectra(run, "grid", np.ones(t))
    folder.directions(run, "grid", t, random=random, loss_change=change)


def sign(runs: list[str], **cells: str) -> Claim:
    return made_claim("alpha_change_pct_all", "sign", "-", runs, facet="0.5", **cells)


@pytest.mark.parametrize(("way", "verdict"), [(1.0, "holds"), (-1.0, "fails"), (0.0, "inconclusive")])
def test_a_sign_beside_that_along_a_random_direction(way: float, verdict: str, folder: Any, judged: Any) -> None:
    for run in runs_of("0.1"):
        alphas(folder, run, sign=way)
    (row,) = judged(sign(runs_of("0.1")))[0].to_dict("records")
    assert (row["verdict"], row["seeds"]) == (verdict, 3)
    assert row["value"] == pytest.approx(-2 * way, abs=0.1)
    if way:
        # each seed's number is from e_1 or from the random direction
        assert row["p_null"] == (1 / 8 if way > 0 else 1)
    assert row["reason"].startswith("required: below 0")


def test_one_seed_of_many_points_decides_about_its_own_run(folder: Any, judged: Any) -> None:
    (run,) = runs_of("0.1", seeds=(1001,))
    alphas(folder, run)
    (row,) = judged(sign([run]))[0].to_dict("records")
    assert (row["verdict"], row["seeds"], row["p_null"]) == ("holds", 1, 0.5)
    assert "one seed; along a random direction 0.03" in row["reason"]
    assert row["error"] == pytest.approx(100 * 0.01 / 2 / math.sqrt(200), rel=0.25)
    alphas(folder, run, t=12, random=False)
    (row,) = judged(sign([run]))[0].to_dict("records")
    assert row["verdict"] == "inconclusive"
    assert row["reason"].endswith("one seed, whose error is unknown; one level, nothing to permute")


def curve(shape: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    return shape + 0.05 * np.random.default_rng(seed).standard_normal(len(shape))


def test_a_trend_of_one_curve_beside_shuffled_ones(folder: Any, judged: Any) -> None:
    (run,) = runs_of("0.1", seeds=(1001,))
    claims = [made_claim("lambda_max", "trend", way, [run], id=way) for way in ("rises", "falls")]
    folder.spectra(run, "grid", curve(np.linspace(0, 1, 120), 0))
    table, chance = judged(*claims)
    assert table["verdict"].tolist() == ["holds", "fails"]
    assert table["p_null"]["rises"] <= 0.05 < table["p_null"]["falls"]
    assert table["p"]["rises"] == pytest.approx(table["p_null"]["rises"])
    assert table["reason"]["rises"] == "required of the rank correlation: at least 0.5; one seed"
    assert chance.loc["all", ["claims", "holds"]].tolist() == [2, 1]
    folder.spectra(run, "grid", np.random.default_rng(1).standard_normal(60))
    assert judged(*claims)[0]["verdict"].tolist() == ["fails", "fails"]
    folder.spectra(run, "grid", np.linspace(0, 1, 4))
    (row,) = judged(claims[0])[0].to_dict("records")
    assert (row["verdict"], row["reason"]) == ("inconclusive", f"{run} left out: only 4 points")


@pytest.mark.parametrize("count", [1, 3])
def test_curves_that_move_together_or_against(count: int, folder: Any, judged: Any) -> None:
    runs = runs_of("0.1", seeds=THREE[:count])
    for seed, run in enumerate(runs):
        wave = np.random.default_rng(seed).standard_normal(80)
        accuracy = 0.5 + 0.05 * (wave + 0.3 * np.random.default_rng(seed + 9).standard_normal(80))
        folder.spectra(run, "grid", 5 + wave, train_accuracy=accuracy)
    claims = [made_claim("train_acc_with_lambda_max", "sign", way, runs, id=way) for way in "+-"]
    table, chance = judged(*claims, window=79)
    assert table["verdict"].tolist() == ["holds", "fails"]
    # two-sided
    assert table["p"]["+"] == pytest.approx(max(2 * table["p_null"]["+"], table["p"]["+"]))
    assert table["p"]["-"] >= 2 / 200
    assert chance.loc["all", "holds"] == 1


def test_counts_beside_chance_agree_with_the_verdicts(folder: Any, judged: Any) -> None:
    """For noise, over many runs: the count agrees with the verdicts for all claims with something to permute."""
    claims = []
    for seed in range(10):
        (run,) = runs_of("0.1", seeds=(2000 + seed,))
        rng = np.random.default_rng(seed)
        wave, other = rng.standard_normal((2, 40))
        folder.spectra(run, "grid", wave, train_accuracy=0.5 + 0.05 * (other + 0.4 * wave))
        claims.append(made_claim("train_acc_with_lambda_max", "sign", "+", [run], id=run, item=f"fig{seed + 1}"))
    table, chance = judged(*claims, window=39)
    assert {"holds", "inconclusive"} <= set(table["verdict"])
    assert chance.loc["all", "holds"] == (table["verdict"] == "holds").sum()
    assert chance.loc["all", "as_claimed"] == (table["as_claimed"] == "yes").sum()


def test_holm_s_correction_is_over_judged_claims_that_none_implies(folder: Any, judged: Any) -> None:
    distances(folder, r0_1=LARGE, r1=SMALL, r0_01=(10.1, 11.3, 11.9))
    claims = [
        order(id="a"),
        order(runs=runs_of("0.01", "1"), expected="0.01>1", id="b", kind_of="sanity"),
        order(id="c", implied_by="a"),
        order(id="d", any_scale="no"),
        order(runs=runs_of("0.01", "0.1"), expected="0.01>0.1", id="e"),
    ]
    table, _ = judged(*claims)
    assert table["verdict"].tolist() == ["holds", "holds", "holds", "not_judged", "inconclusive"]
    expected = multipletests(table["p"][["a", "b", "e"]], method="holm")[1]
    assert table["p_holm"][["a", "b", "e"]].tolist() == pytest.approx(expected.tolist())
    assert table["p_holm"][["c", "d"]].isna().all()
    assert table["reason"]["d"] == f"judged at the paper's scale only; {table['reason']['a']}"
    assert math.isnan(table["p"]["d"])
    assert (table["value"]["d"], table["error"]["d"]) == (table["value"]["a"], table["error"]["a"])
    assert judged(claims[3], paper_scale=True)[0]["verdict"].tolist() == ["holds"]


def test_the_numbers_behind_a_verdict(folder: Any) -> None:
    distances(folder, r0_1=LARGE)
    runs = runs_of("0.1")
    claim = made_claim("dist", "range", "4..20", runs)
    plans = {claim.id: tuple(RunSource(run=run, schedules=SCHEDULES) for run in runs)}
    by_seed = judge([claim], plans, folder.paths.folder, paper_scale=False).by_seed
    assert by_seed["value"].tolist() == list(LARGE)
    assert by_seed["seed"].tolist() == list(THREE)
    assert set(by_seed["id"]) == {claim.id}
    assert set(by_seed["statement"]) == {0}
    assert (set(by_seed["at_least"]), set(by_seed["at_most"])) == ({4}, {20})


def test_claims_of_later_papers_are_judged_by_the_same_rules_and_counted_by_paper(folder: Any) -> None:
    claims, levels = [], ("0.001", "0.01", "0.1")
    for lr, height in zip(levels, (5.0, 3, 2), strict=True):
        for seed in (1, 2, 3):
            run = str(RunId.parse(f"scnn-c10-sgd-lr{lr}-S128-s777").of_seed(seed))
            folder.spectra(run, "grid", height + 0.01 * np.random.default_rng(seed).standard_normal(12))
    runs = [f"scnn-c10-sgd-lr{lr}-S128-s{seed}" for lr in levels for seed in (1, 2, 3)]
    for paper in ("", "cohen2021", "song2024"):
        cells = {"id": f"of {paper or 'the paper'}", "item": "fig6"} | ({"paper": paper} if paper else {})
        claims.append(made_claim("spectra.eigenvalues[0].late_mean", "order", "0.001>0.01>0.1", runs, **cells))
    plans = {c.id: tuple(RunSource(run=run, schedules={"spectra": "grid"}) for run in c.runs) for c in claims}
    paper = judge(claims[:1], plans, folder.paths.folder, paper_scale=False)
    later = judge(claims[1:], plans, folder.paths.folder, paper_scale=False)
    assert list(paper.claims) == list(later.claims)[1:]
    assert later.claims["paper"].tolist() == ["cohen2021", "song2024"]
    assert paper.claims["verdict"].tolist() + later.claims["verdict"].tolist() == ["holds"] * 3
    assert paper.chance["item"].tolist() == ["fig6", "all"]
    assert later.chance["paper"].tolist() == ["cohen2021", "song2024", "all"]
    assert later.chance["claims"].tolist() == [1, 1, 2]


def test_an_empty_ledger_has_no_verdicts(folder: Any) -> None:
    judged = judge([], {}, folder.paths.folder, paper_scale=False)
    assert len(judged.claims) == len(judged.by_seed) == 0
    assert judged.chance["claims"].tolist() == [0]
