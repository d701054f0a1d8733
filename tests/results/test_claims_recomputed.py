"""Twenty claims of all kinds, recomputed from the finished files with only h5py and pandas.

Skipped unless ``results/quick`` is finished. The test checks the numbers, and that the verdicts follow from them and
from the ledger's intervals; ``tests/unit/claims`` checks the intervals themselves.
"""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

RESULTS = Path(__file__).parents[2] / "results" / "quick"
EARLY_EPOCH = 4  # of the quick scale
pytestmark = pytest.mark.skipif(
    not (RESULTS / "claims.csv").exists(), reason="no finished results; make them with: snakemake --cores all all"
)

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def spectrum(run: str, schedule: str, k: int = 0) -> Curve:
    """Epochs, and the k-th largest eigenvalue."""
    with h5py.File(RESULTS / f"spectra/{run}/{schedule}.h5") as file:
        return file["epoch"][...], file["eigenvalues"][:, k]


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([values[i : i + 5].mean() for i in range(len(values) - 4)])


def peak(run: str, schedule: str = "grid", k: int = 0) -> float:
    return float(smooth(spectrum(run, schedule, k)[1]).max())


def peak_epoch(run: str) -> float:
    epochs, values = spectrum(run, "grid")
    return float(epochs[2 + int(np.argmax(smooth(values)))])


def end(run: str, name: str, row: int) -> float:
    with h5py.File(RESULTS / f"evaluations/{run}/ends.h5") as file:
        return float(file[name][row])


def early_accuracy(run: str) -> float:
    history = pd.read_csv(RESULTS / f"runs/{run}/history.csv")
    return float(100 * history.loc[history["epoch"] == EARLY_EPOCH, "val_accuracy"].iloc[0])


def step(run: str, direction: int, alpha: float | None) -> float:
    """Change of the loss, or its rise at |k| = 5 if alpha is None, over the loss, per cent, at the last points."""
    with h5py.File(RESULTS / f"directions/{run}/step.h5") as file:
        column, loss = list(file["direction"]).index(direction), file["loss"][...]
        if alpha is None:
            grid = list(file["grid"])
            profile = file["profile"][:, column]
            change = np.minimum(profile[:, grid.index(-5)], profile[:, grid.index(5)]) - loss
        else:
            change = file["loss_change"][:, column, list(file["alphas"]).index(alpha)]
    last = max(5, round(len(loss) * 25 / 110))
    return float(100 * change[-last:].sum() / loss[-last:].sum())


def branch(variant: str, name: str) -> float:
    """Mean over the last half of a branch of Fig. 7."""
    with h5py.File(RESULTS / f"runs/scnn-c10-sgd-lr0.01-S128-s777@e4/{variant}/snapshots.h5") as file:
        iterations = file["refresh_iteration"][...]
        values = file["eigenvalues"][:, 0] if name == "lambda" else file["refresh_loss"][...]
    # an update follows each measurement
    step, length = iterations[1] - iterations[0], iterations[-1] + (iterations[1] - iterations[0]) - iterations[0]
    kept = iterations >= iterations[-1] + step - min(100, length / 2)
    return float(values[kept].mean())


def least(*values: float) -> float:
    """The smallest decrease from one value to the next."""
    return min(first - second for first, second in pairwise(values))


def hump(values: NDArray[np.float64]) -> float:
    curve = smooth(values)
    return float((curve.max() - max(curve[0], curve[-1])) / np.ptp(curve))


def steady_hump(values: NDArray[np.float64]) -> float:
    """The smaller of two margins: a hump of a quarter, and a rank correlation of -0.5 after the smoothed maximum."""
    after = pd.Series(values[2 + int(smooth(values).argmax()) :]).rank()
    return min(hump(values) - 0.25, -0.5 - after.corr(pd.Series(np.arange(len(after), dtype=float))))


def lasting_fall(run: str) -> float:
    """Largest fall of the smoothed accuracy above two standard errors, or the rise before it, divided by the range."""
    with h5py.File(RESULTS / f"spectra/{run}/full_batch.h5") as file:
        accuracy, count = file["train_accuracy"][...], json.loads(file.attrs["settings"])["accuracy_examples"]
    accuracy = accuracy[np.isfinite(accuracy)]
    error, curve = np.sqrt(accuracy * (1 - accuracy) / count).max(), smooth(accuracy)
    falls = np.maximum.accumulate(curve) - curve
    bottom = int(falls.argmax())
    rise = curve[: bottom + 1].max() - curve[0]
    return float(max(0.0, min(rise, falls[bottom] - math.sqrt(8) * error)) / np.ptp(accuracy))


SCNN, R32 = "scnn-c10-sgd-lr{}-S128-s777", "r32-c10-sgd-lr0.05-S{}-s777"
ROWS = [f"r32-c10-{middle}-plat-s777" for middle in (
    "nsgd-lr0.01-S128-g0.01-K5", "nsgd-lr0.01-S128-g0.1-K5", "sgd-lr0.01-S128", "nsgd-lr0.01-S128-g5-K5")]  # fmt: skip
FIG6 = ("scnn-c10-sgd-lr0.01-S128-s777", "r32-c10-sgd-lr0.01-S128-l2_1e-4-s777")
MOMENTUM = "r32-c10-{}-plat-s777"

# id -> computed number and its required bounds
ABOVE, BELOW = (0.0, math.inf), (-math.inf, 0.0)
CLAIMS: dict[str, tuple[Callable[[], float], tuple[float, float]]] = {
    "fig4.scnn.lr.peak_order": (lambda: least(*(peak(SCNN.format(lr)) for lr in ("0.001", "0.01", "0.1"))), ABOVE),
    "fig4.scnn.lr.peak_epoch_order": (
        lambda: least(*(peak_epoch(SCNN.format(lr)) for lr in ("0.001", "0.01", "0.1"))),
        ABOVE,
    ),
    "fig4.r32.bs.peak_order": (lambda: least(*(peak(R32.format(size)) for size in (1024, 128, 32))), ABOVE),
    "fig4.lstm.lr.l2_peak_order": (
        lambda: least(*(peak(f"lstm-ptb-sgd-lr{lr}-S20-s777", k=1) for lr in ("0.2", "1", "5"))),
        ABOVE,
    ),
    "fig21.lr.peak_order": (
        lambda: least(*(peak(f"imdb-imdb-sgd-lr{lr}-S32-plat-s777") for lr in ("0.025", "0.05", "0.1"))),
        ABOVE,
    ),
    "fig7.top.lambda": (lambda: branch("sgd", "lambda") - branch("top", "lambda"), ABOVE),
    "fig7.notop.loss": (lambda: branch("sgd", "loss") - branch("notop", "loss"), ABOVE),
    "tab1.order.frob_best": (lambda: least(*(end(run, "frobenius", 0) for run in ROWS)), ABOVE),
    "tab1.order.val_acc_50": (lambda: least(*map(early_accuracy, ROWS)), ABOVE),
    "fig6.alpha2.scnn.sign": (lambda: step(FIG6[0], 1, 2.0), ABOVE),
    "fig6.alpha0.5.r32.sign": (lambda: step(FIG6[1], 1, 0.5), BELOW),
    "fig15.r32.alpha2": (lambda: step(FIG6[1], 3, 2.0), ABOVE),
    "fig6.bowl.scnn": (lambda: step(FIG6[0], 1, None), ABOVE),
    "fig2.scnn.lmax": (lambda: steady_hump(spectrum(SCNN.format("0.1"), "evolution")[1]), ABOVE),
    "fig3.lr0.05.acc": (lambda: lasting_fall("r32-c10-sgd-lr0.05-S2560-n2560-fb-s777"), (0.25, math.inf)),
    "fig1.eta_lambda": (lambda: 0.015 * peak(SCNN.format("0.005"), "growth"), (0.4, 1.6)),
    "tab4.test_acc_diff": (
        lambda: (
            100
            * (
                end(MOMENTUM.format("nsgd-lr0.01-S128-m0.9-g0.01-K5"), "test_accuracy", 0)
                - end(MOMENTUM.format("sgd-lr0.01-S128-m0.9"), "test_accuracy", 0)
            )
        ),
        (-1, 1),
    ),
    "tab3.frob_ratio": (
        lambda: (
            end(MOMENTUM.format("nsgd-lr0.1-S128-g0.01-K5"), "frobenius", 1)
            / end(MOMENTUM.format("sgd-lr0.1-S128"), "frobenius", 1)
        ),
        (0.5, 2),
    ),
    # numbers of the paper: measured at every scale, judged only at the paper's
    "fig1.peak": (lambda: peak(SCNN.format("0.005"), "growth"), (160 / 1.5, 160 * 1.5)),
    "tab1.g0.01.dist": (lambda: end(ROWS[0], "distance", 0), (0, math.inf)),
}


@pytest.fixture(scope="module")
def ledger() -> pd.DataFrame:
    return pd.read_csv(RESULTS / "claims.csv").set_index("id")


@pytest.mark.parametrize("claim", CLAIMS)
def test_value_and_verdict(ledger: pd.DataFrame, claim: str) -> None:
    compute, (low, high) = CLAIMS[claim]
    row, value = ledger.loc[claim], compute()
    assert row["value"] == pytest.approx(value, rel=1e-9, abs=1e-12)
    if row["any_scale"] == "no":
        assert row["verdict"] == "not_judged"
        return
    assert row["as_claimed"] == ("yes" if low <= value <= high else "no")
    if row["verdict"] == "holds":
        assert low <= row["low"]
        assert row["high"] <= high
    elif row["verdict"] == "fails":
        assert row["high"] < low or row["low"] > high
    else:
        assert row["verdict"] == "inconclusive"
        assert row["p"] > 0.05


def test_all_kinds_are_among_them(ledger: pd.DataFrame) -> None:
    assert set(ledger.loc[list(CLAIMS), "kind"]) == {"order", "sign", "trend", "range", "value"}
    assert len(CLAIMS) == 20
