"""From files to verdicts: claims of all kinds, with numbers worked out by hand."""

import math
from dataclasses import replace
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sharpest.claims.files import RunSource
from sharpest.claims.judge import judge, judge_claim
from sharpest.claims.ledger import COLUMNS, Claim
from sharpest.claims.report import markdown
from sharpest.trajectory import epoch
from sharpest.trajectory.steps import nudge

SCHEDULES = {"spectra": "grid", "directions": "grid", "evaluations": "ends"}


@pytest.fixture
def judged(folder: Any, ledger: tuple[Claim, ...]) -> Any:
    """Judges claims of the ledger on the files in ``folder``."""

    def of(*names: str, paper_scale: bool = False, seeds: tuple[str, ...] = ("s777", "s778")) -> pd.DataFrame:
        claims = [claim for claim in ledger if claim.id in names]
        plans = {
            claim.id: tuple(
                RunSource(run=run, schedules=SCHEDULES) for run in claim.runs if run.partition("@")[0].endswith(seeds)
            )
            for claim in claims
        }
        return judge(claims, plans, folder.paths.folder, paper_scale).set_index("id").loc[list(names)]

    return of


def plateau(height: float, start: int = 2, t: int = 20) -> np.ndarray:
    """A curve with a plateau of five points."""
    return np.where((np.arange(t) >= start) & (np.arange(t) < start + 5), height, 1.0)


def learning_rates(folder: Any, *curves: np.ndarray) -> None:
    for lr, curve in zip(("0.001", "0.01", "0.1"), curves, strict=True):
        folder.spectra(f"scnn-c10-sgd-lr{lr}-S128-s777", "grid", curve)


def test_order_of_one_seed(folder: Any, judged: Any) -> None:
    learning_rates(folder, plateau(90), plateau(50), plateau(20))
    (row,) = judged("fig4.scnn.lr.peak_order").to_dict("records")
    assert (row["verdict"], row["seeds"]) == ("holds", 1)
    assert row["value"] == pytest.approx(30)  # the lesser of 40 and 30
    assert "0.001: 90, 0.01: 50, 0.1: 20" in row["reason"]


def test_order_reversed(folder: Any, judged: Any) -> None:
    learning_rates(folder, plateau(90), plateau(20), plateau(50))
    (row,) = judged("fig4.scnn.lr.peak_order").to_dict("records")
    assert (row["verdict"], row["value"]) == ("fails", pytest.approx(-30))


def test_order_that_noise_may_turn(folder: Any, judged: Any) -> None:
    noise = 30 * np.random.default_rng(1).standard_normal((3, 20))
    learning_rates(folder, *(100 + noise + np.array([[3], [2], [1]])))
    assert judged("fig4.scnn.lr.peak_order")["verdict"].tolist() == ["inconclusive"]


def test_a_curve_that_still_rises_gives_a_lower_bound(folder: Any, judged: Any) -> None:
    learning_rates(folder, plateau(90), plateau(50), np.linspace(1, 22, 20))
    (row,) = judged("fig4.scnn.lr.peak_order").to_dict("records")
    assert row["verdict"] == "inconclusive"
    assert "a lower bound" in row["reason"]


def table_runs(*rest: str) -> list[list[str]]:
    return [[f"r32-c10-{part}-plat-s{seed}" for seed in (777, 778)] for part in rest]


GAMMAS = table_runs(
    "nsgd-lr0.01-S128-g0.01-K5", "nsgd-lr0.01-S128-g0.1-K5", "sgd-lr0.01-S128", "nsgd-lr0.01-S128-g5-K5"
)


def evaluate(folder: Any, values: list[list[float]], diverged: dict[str, float] | None = None) -> None:
    for group, numbers in zip(GAMMAS, values, strict=True):
        for run, number in zip(group, numbers, strict=True):
            folder.evaluations(run, diverged=(diverged or {}).get(run), frobenius=[number, number])


def test_order_over_seeds(folder: Any, judged: Any) -> None:
    evaluate(folder, [[1000, 1100], [900, 996], [300, 320], [100, 90]])
    (row,) = judged("tab1.order.frob_best").to_dict("records")
    assert (row["verdict"], row["seeds"]) == ("holds", 2)
    assert (row["value"], row["spread"]) == (102, pytest.approx(2))  # 100 and 104


def test_a_seed_that_diverged_is_left_out_everywhere(folder: Any, judged: Any) -> None:
    evaluate(folder, [[1000, 1], [900, 2], [300, 3], [100, 4]], {GAMMAS[3][1]: 2.5})
    (row,) = judged("tab1.order.frob_best").to_dict("records")
    assert (row["verdict"], row["seeds"], row["value"]) == ("holds", 1, 100)
    assert math.isnan(row["spread"])
    assert f"{GAMMAS[3][1]} left out: diverged at epoch 2.5" in row["reason"]
    assert "spread is not known" in row["reason"]


def test_nothing_is_left_to_judge(folder: Any, judged: Any) -> None:
    evaluate(folder, [[1000, 1], [900, 2], [300, 3], [100, 4]], dict.fromkeys(GAMMAS[3], 2.5))
    (row,) = judged("tab1.order.frob_best").to_dict("records")
    assert (row["verdict"], row["seeds"]) == ("inconclusive", 0)
    assert math.isnan(row["value"])


def test_a_scale_with_one_seed(folder: Any, judged: Any) -> None:
    evaluate(folder, [[1000, 0], [900, 0], [300, 0], [100, 0]])
    assert judged("tab1.order.frob_best", seeds=("s777",))["seeds"].tolist() == [1]


def test_values_are_judged_at_the_papers_scale(folder: Any, judged: Any) -> None:
    evaluate(folder, [[1000, 1100], [930, 930], [900, 900], [100, 90]])
    names = ("tab1.g0.01.frob_best", "tab1.g0.1.frob_best", "tab1.g1.0.frob_best")
    small, paper = judged(*names), judged(*names, paper_scale=True)
    assert set(small["verdict"]) == {"not_judged"}
    assert small["value"].tolist() == paper["value"].tolist() == [1050, 930, 900]
    assert paper["verdict"].tolist() == ["holds", "holds", "fails"]  # 272 within a factor of 2
    assert small["reason"].str.startswith("judged at the paper's scale only").all()


def test_range_of_a_ratio(folder: Any, judged: Any) -> None:
    runs = table_runs("nsgd-lr0.1-S128-g0.01-K5", "sgd-lr0.1-S128")
    for run, norm in zip(runs[0] + runs[1], (30, 33, 20, 20), strict=True):
        folder.evaluations(run, frobenius=[0, norm])
    (row,) = judged("tab3.frob_ratio").to_dict("records")
    assert (row["verdict"], row["value"]) == ("holds", pytest.approx(1.575))


def test_sign(folder: Any, judged: Any) -> None:
    run = "scnn-c10-sgd-lr0.01-S128-s777"
    folder.spectra(run, "grid", np.ones(20))
    noise = 0.001 * np.random.default_rng(0).standard_normal(20)
    change = np.stack([noise - 0.04, noise - 0.02, noise, noise + 0.02, noise - 0.1], axis=1)
    folder.directions(run, "grid", 20, loss_change=np.repeat(change[:, None], 3, axis=1))
    names = [f"fig6.alpha{alpha}.scnn.sign" for alpha in ("0.25", "0.5", "2", "4")]
    table = judged(*names, "sec3.2.alpha1.scnn", "fig6.alpha1_not_best.scnn")
    assert table["verdict"].tolist() == ["holds", "holds", "holds", "fails", "inconclusive", "holds"]
    assert table["value"].iloc[2] == pytest.approx(1, abs=0.1)
    # both alphas have the same noise, so that their difference has none
    assert table["value"].iloc[-1] == pytest.approx(1)
    assert table["spread"].iloc[-1] == pytest.approx(0, abs=1e-9)


def test_the_facet_is_a_column_whatever_the_id_says(folder: Any, ledger: tuple[Claim, ...]) -> None:
    """The loss changes by 1 to 5 per cent at the five alphas."""
    (claim,) = (claim for claim in ledger if claim.id == "fig6.alpha0.25.scnn.sign")
    for run in claim.runs:
        folder.spectra(run, "grid", np.ones(20))
        folder.directions(run, "grid", 20, loss_change=np.broadcast_to(0.02 * np.arange(1, 6), (20, 3, 5)))
    sources = [RunSource(run=run, schedules=SCHEDULES) for run in claim.runs]
    for facet, value in (("0.25", 1), ("0.5", 2), ("4", 5)):
        changed = replace(claim, row={**claim.row, "facet": facet})
        assert judge_claim(changed, sources, folder.results).value == pytest.approx(value)


@pytest.mark.parametrize(("lowest", "verdict"), [(12.0, "holds"), (8.0, "fails")])
def test_alignment_has_to_be_ten_times_chance_in_each_run(
    lowest: float, verdict: str, folder: Any, judged: Any
) -> None:
    chance = math.gamma(25) / (math.sqrt(math.pi) * math.gamma(25.5))  # of 50 parameters
    for lr, times in (("0.001", 30), ("0.01", 20), ("0.1", lowest)):
        run = f"scnn-c10-sgd-lr{lr}-S128-s777"
        folder.spectra(run, "grid", np.zeros(8))
        folder.directions(run, "grid", 8, cosine=np.full((8, 3), times * chance))
    (row,) = judged("fig5.scnn.vs_random").to_dict("records")
    assert (row["verdict"], row["seeds"], row["value"]) == (verdict, 1, pytest.approx(lowest))


@pytest.mark.parametrize(("rise", "verdict"), [(0.4, "holds"), (0.6, "fails"), (-0.1, "holds")])
def test_much_flatter_is_half_the_rise_at_most(rise: float, verdict: str, folder: Any, judged: Any) -> None:
    run, t = "scnn-c10-sgd-lr0.01-S128-s777", 12
    folder.spectra(run, "grid", np.zeros(t))
    profile = np.tile([3.0, 2, 2, 2, 3], (t, 3, 1))
    profile[:, 1, 0] = 2 + rise
    folder.directions(run, "grid", t, profile=profile)
    (row,) = judged("fig15.scnn.flatter").to_dict("records")
    assert (row["verdict"], row["value"]) == (verdict, pytest.approx(rise))


@pytest.mark.parametrize(("height", "verdict"), [(810.0, "holds"), (780.0, "fails")])
def test_far_sharper_is_half_of_the_printed_quotient(height: float, verdict: str, folder: Any, judged: Any) -> None:
    for run, top in (("nsgd-lr0.01-S128-g0.01-K20", height), ("sgd-lr0.01-S128", 30.0)):
        for seed in (777, 778):
            folder.spectra(f"r32-c10-{run}-plat-s{seed}", "grid", plateau(top))
    (row,) = judged("fig8.k20_vs_sgd.order").to_dict("records")
    assert (row["verdict"], row["value"]) == (verdict, pytest.approx(height / 30))  # 26.7


@pytest.mark.parametrize(("height", "verdict"), [(60.0, "holds"), (40.0, "fails")])
def test_significantly_sharper_is_five_times(height: float, verdict: str, folder: Any, judged: Any) -> None:
    for run, top in (("nsgd-lr0.1-S128-g0.01-K5", height), ("sgd-lr0.1-S128", 10.0)):
        for seed in (777, 778):
            name = f"r32-c10-{run}-plat-s{seed}"
            folder.spectra(name, "grid", plateau(top))
            folder.evaluations(name)
    (row,) = judged("fig19.highlr.early").to_dict("records")
    assert (row["verdict"], row["value"]) == (verdict, pytest.approx(height / 10))


@pytest.mark.parametrize(("ahead", "verdict"), [(0.02, "holds"), (0.01, "fails")])
def test_significantly_faster_is_half_of_the_printed_lead(ahead: float, verdict: str, folder: Any, judged: Any) -> None:
    seeds = ("s778", "s779", "s780")
    for run, accuracy in (("nsgd-lr0.01-S8-g0.1-K1", 0.8 + ahead), ("sgd-lr0.01-S8", 0.8)):
        for seed in seeds:
            folder.evaluations(f"imdb2-imdb-{run}-plat-{seed}")
            folder.history(f"imdb2-imdb-{run}-plat-{seed}", [accuracy] * 5)
    (row,) = judged("fig22.speed", seeds=seeds).to_dict("records")
    assert (row["verdict"], row["value"]) == (verdict, pytest.approx(100 * ahead))  # 1.135 points


def test_the_order_of_peaks_in_epochs_alone_follows_from_the_batch_size(folder: Any, judged: Any) -> None:
    """Three curves with their peak at the same iteration, 40, of which an epoch has 10, 20 and 40."""
    for size, steps in ((1024, 10), (128, 20), (32, 40)):
        epoch = 10 * np.arange(20) / steps
        folder.spectra(f"scnn-c10-sgd-lr0.05-S{size}-s777", "grid", plateau(9.0), epoch=epoch)
    table = judged("fig4.scnn.bs.peak_epoch_order", "fig4.scnn.bs.peak_epoch_order.iterations")
    assert table["value"].tolist() == pytest.approx([1.0, 0.0])
    assert table["verdict"].iloc[1] != "holds"


def test_trends(folder: Any, judged: Any) -> None:
    run = "scnn-c10-sgd-lr0.005-S128-s777"
    folder.spectra(run, "grid", np.sin(np.linspace(0, np.pi, 40)))
    assert judged("fig1.lmax_trend")["verdict"].tolist() == ["holds"]
    folder.spectra(run, "grid", np.linspace(0, 1, 40))
    assert judged("fig1.lmax_trend")["verdict"].tolist() == ["fails"]
    folder.spectra(run, "grid", np.linspace(0, 1, 4))
    (row,) = judged("fig1.lmax_trend").to_dict("records")
    assert (row["verdict"], row["reason"]) == ("inconclusive", f"{run} left out: only 4 points")


def test_trend_over_k(folder: Any, judged: Any) -> None:
    """Ranks 1 to 6 but for one exchange of neighbours: a correlation of 1 - 12 / 210."""
    groups = table_runs(*(f"nsgd-lr0.01-S128-g0.01-K{k}" for k in (1, 3, 5, 7, 10, 20)))
    for group, accuracy in zip(groups, (0.80, 0.82, 0.81, 0.83, 0.85, 0.86), strict=True):
        for run in group:
            folder.evaluations(run, test_accuracy=[accuracy, 0])
    (row,) = judged("fig8.k_test").to_dict("records")
    assert (row["verdict"], row["seeds"], row["value"]) == ("holds", 2, pytest.approx(1 - 12 / 210))


def test_several_settings_have_to_hold_all(folder: Any, judged: Any) -> None:
    runs = table_runs("nsgd-lr0.01-S128-g0.01-K5", "sgd-lr0.01-S128")
    for run, loss in zip(runs[0] + runs[1], (0.01, 0.02, 0.3, 0.31), strict=True):
        folder.evaluations(run, train_loss=[0, loss])
    (row,) = judged("sec4.loss_final", paper_scale=True).to_dict("records")
    assert (row["verdict"], row["value"]) == ("fails", pytest.approx(0.305))


def test_a_claim_without_runs(judged: Any) -> None:
    (row,) = judged("secE.newton").to_dict("records")
    assert (row["verdict"], row["seeds"]) == ("holds", 0)


@pytest.mark.parametrize(
    "broken",
    [
        lambda change, directions, gamma, rest=1.0: change,
        lambda change, directions, gamma, rest=1.0: rest * change - gamma * (directions.T @ (directions @ change)),
        lambda change, directions, gamma, rest=1.0: gamma * change,
    ],
    ids=["plain SGD", "another sign", "shorter in all directions"],
)
def test_newton_is_compared_with_the_step_of_training(
    broken: FunctionType, judged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function itself is changed, which training calls: arithmetic of the claim's own would not notice."""
    assert epoch.nudge is nudge
    monkeypatch.setattr(nudge, "__code__", broken.__code__)
    assert judged("secE.newton")["verdict"].tolist() == ["fails"]


def test_the_table_and_its_print(folder: Any, judged: Any) -> None:
    evaluate(folder, [[1000, 1100], [900, 996], [300, 320], [100, 90]])
    table = judged("tab1.order.frob_best", "tab1.g0.01.frob_best", "secE.newton").reset_index()
    assert set(table.columns) == {*COLUMNS, "value", "spread", "seeds", "verdict", "reason"}
    text = markdown(table, "Scale quick.")
    assert "| tab1 | 2 | 1 | 0 | 0 | 1 |" in text
    assert "| all | 3 | 2 | 0 | 0 | 1 |" in text
    assert "| Smaller gamma ends sharper at the best-validation point" in text
    assert "frobenius_best 102 ± 2 |" in text
    assert text.count("## ") == 3
    assert "Scale quick." in text


def test_the_same_files_give_the_same_table(folder: Any, judged: Any, tmp_path: Path) -> None:
    learning_rates(folder, *np.random.default_rng(0).random((3, 20)))
    pd.testing.assert_frame_equal(judged("fig4.scnn.lr.peak_order"), judged("fig4.scnn.lr.peak_order"))
