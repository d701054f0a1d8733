"""Claims of the ledger over six equal seeds, decided by a sign test: the positions of their bounds."""

import math
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from sharpest.claims.ledger import Claim, parse_claim
from sharpest.trajectory import epoch
from sharpest.trajectory.steps import nudge

from .conftest import of_seeds


@pytest.fixture
def row(judged: Any, ledger: tuple[Claim, ...]) -> Callable[..., dict[str, Any]]:
    """A claim of the ledger, judged on six seeds."""

    def of(name: str, paper_scale: bool = False) -> dict[str, Any]:
        (claim,) = (claim for claim in ledger if claim.id == name)
        runs = [run for group in claim.groups for run in of_seeds(group[0])]
        claim = parse_claim({**claim.row, "subject": ";".join(runs)}) if runs else claim
        (judgement,) = judged(claim, paper_scale=paper_scale)[0].to_dict("records")
        return judgement

    return of


def hump(height: float) -> np.ndarray:
    """A smooth curve of 60 points, with almost no noise."""
    return height * np.sin(np.linspace(0, np.pi, 60)) ** 2


def learning_rates(folder: Any, curves: Sequence[np.ndarray]) -> None:
    for lr, curve in zip(("0.001", "0.01", "0.1"), curves, strict=True):
        for seed, run in enumerate(of_seeds(f"scnn-c10-sgd-lr{lr}-S128-s777")):
            folder.spectra(run, "grid", curve + 0.01 * np.random.default_rng(seed).standard_normal(len(curve)))


def test_a_curve_that_still_rises_gives_a_lower_bound(folder: Any, row: Any) -> None:
    """At the last level it leaves the order open, at the first it does not."""
    rising = np.linspace(1, 22, 60)
    learning_rates(folder, [hump(90), hump(50), rising])
    last = row("fig4.scnn.lr.peak_order")
    assert last["verdict"] == "inconclusive"
    assert "a lower bound" in last["reason"]
    learning_rates(folder, [5 * rising, hump(50), hump(20)])
    assert row("fig4.scnn.lr.peak_order")["verdict"] == "holds"


@pytest.mark.parametrize(("height", "verdict"), [(810.0, "holds"), (780.0, "fails")])
def test_far_sharper_is_half_of_the_printed_quotient(height: float, verdict: str, folder: Any, row: Any) -> None:
    for run, top in (("nsgd-lr0.01-S128-g0.01-K20", height), ("sgd-lr0.01-S128", 30.0)):
        for name in of_seeds(f"r32-c10-{run}-plat-s777"):
            folder.spectra(name, "grid", hump(top))
    judged_row = row("fig8.k20_vs_sgd.order")
    assert (judged_row["verdict"], judged_row["value"]) == (verdict, pytest.approx(height / 30))  # 26.7


def test_several_settings_have_to_hold_all(folder: Any, row: Any) -> None:
    for middle, loss in (("nsgd-lr0.01-S128-g0.01-K5", 0.015), ("sgd-lr0.01-S128", 0.305)):
        for seed, run in enumerate(of_seeds(f"r32-c10-{middle}-plat-s777")):
            folder.evaluations(run, train_loss=[0, loss + 1e-4 * seed])
    judged_row = row("sec4.loss_final", paper_scale=True)
    assert (judged_row["verdict"], judged_row["value"]) == ("fails", pytest.approx(0.305, abs=1e-3))
    assert row("sec4.loss_final")["verdict"] == "not_judged"


def test_a_claim_without_runs(row: Any) -> None:
    judged_row = row("secE.newton")
    assert (judged_row["verdict"], judged_row["seeds"], judged_row["p"]) == ("holds", 0, 0)
    assert math.isnan(judged_row["p_null"])
    assert "one seed" not in judged_row["reason"]


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
    broken: FunctionType, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test changes the function that training calls; separate arithmetic in the claim would not notice."""
    assert epoch.nudge is nudge
    monkeypatch.setattr(nudge, "__code__", broken.__code__)
    assert row("secE.newton")["verdict"] == "fails"
