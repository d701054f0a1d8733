"""Any stored column of any measure as a quantity, for a measure that no quantity knows."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sharpest.measures
from sharpest.claims.judgement import judge
from sharpest.claims.ledger import parse_claim
from sharpest.claims.quantities import quantity_of
from sharpest.claims.quantity import RunSource
from sharpest.config.measures import declared, measure_names
from sharpest.errors import ConfigError

SCHEDULES = {"tilt": "step", "spectra": "step"}
DECLARATION = '''
"""How the loss leans."""

from sharpest.config.measures import Cost, Measure
from sharpest.config.strict import Strict
from sharpest.results.layout import Dataset, measured_layout


class Settings(Strict):
    """Nothing to set."""


MEASURE = Measure(
    title="tilt",
    settings=Settings,
    layout=measured_layout(
        "tilt",
        1,
        Dataset("slope", "f8", ("t",), "nats", "|dL| of the Hessian examples"),
        Dataset("parts", "f8", ("t", "k"), "", "of it, by layer"),
        Dataset("layers", "i8", ("k",), "", "numbers of the layers"),
    ),
    cost=lambda settings, point: Cost(),
    sizes=lambda settings, p: {"k": 2},
)
'''


@pytest.fixture(autouse=True)
def tilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A measure ``tilt`` in its own folder."""
    folder = tmp_path / "measures" / "tilt"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(DECLARATION.lstrip())
    monkeypatch.setattr(sharpest.measures, "__path__", [*sharpest.measures.__path__, str(folder.parent)])
    caches = measure_names, declared, quantity_of
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()
    sys.modules.pop("sharpest.measures.tilt", None)
    vars(sharpest.measures).pop("tilt", None)


def run_of(lr: str) -> str:
    return f"scnn-c10-sgd-lr{lr}-S128-s777"


def row_of(quantity: str, kind: str, expected: str, *lrs: str) -> Mapping[str, str]:
    subject = ";".join(map(run_of, lrs))
    return {
        "id": quantity, "item": "fig_mine", "kind": kind, "statement": "", "subject": subject, "quantity": quantity,
        "facet": "", "expected": expected, "tolerance": "", "unit": "", "any_scale": "yes", "source": "",
        "kind_of": "finding", "ours": "", "implied_by": "", "note": "",
    }  # fmt: skip


def judged(folder: Any, *rows: Mapping[str, str]) -> list[dict[Any, Any]]:
    claims = [parse_claim(row) for row in rows]
    plans = {claim.id: tuple(RunSource(run=run, schedules=SCHEDULES) for run in claim.runs) for claim in claims}
    table = judge(claims, plans, folder.paths.folder, paper_scale=False).claims
    return table.to_dict("records")


def write(folder: Any, lr: str, slope: Any, **options: Any) -> None:
    """The second entry is ten times the slope."""
    t = len(slope)
    parts = np.stack([np.zeros(t), 10 * np.asarray(slope)], axis=1)
    arrays = {"iteration": 10 * np.arange(t), "epoch": np.arange(t), "slope": slope, "parts": parts}
    folder.measure("tilt", run_of(lr), "step", {"t": t, "k": 2}, arrays, **options)


def test_a_column_is_a_curve() -> None:
    quantity = quantity_of("tilt.slope")
    assert (quantity.name, quantity.unit, quantity.needs) == ("tilt.slope", "nats", ("tilt",))
    assert quantity.definition == "|dL| of the Hessian examples."
    assert quantity.is_curve
    assert not quantity.lower_bound


def test_a_statistic_makes_it_a_number() -> None:
    peak = quantity_of("tilt.parts[1].peak")
    assert not peak.is_curve
    assert peak.definition == "Peak of: of it, by layer."
    assert peak.place == ("k", 1)
    assert quantity_of("tilt.slope.peak_epoch").unit == "epochs"
    assert [quantity_of(f"tilt.slope.{name}").lower_bound for name in ("mean", "maximum", "peak", "peak_epoch")] == [
        False, True, True, True
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lambda_max_pek", "unknown quantity 'lambda_max_pek'; did you mean lambda_max_peak?"),
        ("tlt.slope", "quantity 'tlt.slope': unknown measure 'tlt'; did you mean tilt?"),
        ("weather.slope", "unknown measure 'weather'; known: .*tilt"),
        ("tilt.slop", "quantity 'tilt.slop': tilt has no column 'slop'; did you mean slope?"),
        ("tilt.weather", "tilt has no column 'weather'; it has iteration, epoch, slope, parts, layers"),
        ("tilt.slope.peek", "unknown statistic 'peek'; did you mean peak?"),
        (
            "tilt.slope.weather",
            "unknown statistic 'weather'; known: mean, late_mean, first, last, minimum, maximum, peak, peak_epoch",
        ),
        ("tilt.slope.peak_epoch.over_edge", "peak_epoch is a time, not a value of the column; remove over_edge"),
        ("tilt.slope.over_edges", "unknown statistic 'over_edges'"),
        ("tilt.slope.over_edge.mean", "unknown quantity"),
        (
            "tilt.slope.over_edge.ratio",
            "ratio compares numbers, not curves; name a statistic before it: mean, late_mean",
        ),
        ("tilt.slope.mean.ratio.over_edge", "unknown quantity"),
        ("tilt.parts", r"parts has the dimensions \(t, k\); name a column over points \(t\), with \[index\]"),
        ("tilt.slope[0]", r"slope has the dimensions \(t\); name a column over points \(t\)"),
        ("tilt.layers", r"layers has the dimensions \(k\); name a column over points \(t\)"),
        ("directions.profile[0]", r"profile has the dimensions \(t, d, g\)"),
        ("tilt.slope[-1]", "unknown quantity"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest_one(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        quantity_of(name)
    assert "\n" not in str(caught.value)


def test_a_trend(folder: Any) -> None:
    write(folder, "0.1", np.arange(60.0) + np.random.default_rng(0).standard_normal(60))
    rising, falling = judged(
        folder, row_of("tilt.slope", "trend", "rises", "0.1"), row_of("tilt.parts[1]", "trend", "falls", "0.1")
    )
    assert (rising["verdict"], rising["value"]) == ("holds", pytest.approx(1, abs=0.01))
    assert (falling["verdict"], falling["value"]) == ("fails", rising["value"])
    # the other column does neither, and has no noise to tell by
    (flat,) = judged(folder, row_of("tilt.parts[0]", "trend", "rises", "0.1"))
    assert (flat["verdict"], flat["value"], flat["as_claimed"]) == ("inconclusive", 0, "no")


def test_an_order(folder: Any) -> None:
    for lr, height in (("0.001", 5.0), ("0.01", 3.0), ("0.1", 2.0)):
        write(folder, lr, np.full(8, height))
    order = "0.001", "0.01", "0.1"
    right, wrong = judged(
        folder,
        row_of("tilt.parts[1].mean", "order", "0.001>0.01>0.1", *order),
        row_of("tilt.slope.mean", "order", "0.1>0.01>0.001", *order),
    )
    assert (right["as_claimed"], right["value"]) == ("yes", pytest.approx(10))  # the smaller of 20 and 10
    assert "0.001: 50, 0.01: 30, 0.1: 20" in right["reason"]
    assert (wrong["as_claimed"], wrong["value"]) == ("no", pytest.approx(-2))


def test_it_equals_the_named_quantity_of_the_same_column(folder: Any) -> None:
    curves = {"0.001": [9, 9, 9, 9, 9, 9, 9, 1, 1, 1], "0.1": np.arange(10)}
    for lr, curve in curves.items():
        folder.spectra(run_of(lr), "step", np.stack([curve, np.zeros(10)], axis=1))
    named, stored = (
        judged(folder, row_of(name, "order", "0.1>0.001", *curves))[0]
        for name in ("lambda_max_peak", "spectra.eigenvalues[0].peak")
    )
    different = {"id", "quantity"}
    assert {k: str(v) for k, v in named.items() if k not in different} == {
        k: str(v) for k, v in stored.items() if k not in different
    }
    assert "a lower bound" in stored["reason"]


def test_a_run_that_diverged_is_left_out(folder: Any) -> None:
    write(folder, "0.1", [1.0, 2.0, np.nan], diverged=1.75)
    (row,) = judged(folder, row_of("tilt.slope", "trend", "rises", "0.1"))
    assert (row["verdict"], row["reason"]) == ("inconclusive", f"{run_of('0.1')} left out: diverged at epoch 1.75")


def test_a_run_without_a_point_is_left_out(folder: Any) -> None:
    """With batch normalisation the first point does not count, and it is the only one."""
    write(folder, "0.1", [])
    write(folder, "1", [4.0], norm=True)
    for lr in ("0.1", "1"):
        (row,) = judged(folder, row_of("tilt.parts[1]", "trend", "rises", lr))
        assert row["reason"] == f"{run_of(lr)} left out: no finite measurement"


def value(folder: Any, quantity: str) -> float:
    """The number of a claim about one judged run; other tests check its verdict."""
    return float(judged(folder, row_of(quantity, "range", "0..1", "0.1"))[0]["value"])


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("late_mean", 4.0), ("first", 1.0), ("last", 6.0), ("minimum", 0.5), ("maximum", 6.0), ("mean", 2.7)],
)
def test_statistics(statistic: str, expected: float, folder: Any) -> None:
    """Of five points the last three are late."""
    write(folder, "0.1", [1.0, 0.5, 2, 4, 6])
    assert value(folder, f"tilt.slope.{statistic}") == pytest.approx(expected)
    assert value(folder, f"tilt.parts[1].{statistic}") == pytest.approx(10 * expected)


def test_the_late_mean_has_the_error_of_the_late_points(folder: Any) -> None:
    noise = np.random.default_rng(0).standard_normal(200)
    write(folder, "0.1", np.concatenate([100 + 50 * noise, 10 + noise]))
    (row,) = judged(folder, row_of("tilt.slope.late_mean", "range", "9..11", "0.1"))
    assert row["verdict"] == "holds"
    assert 0.03 < row["error"] < 0.2


def test_the_error_of_a_single_point_of_one_run_is_unknown(folder: Any) -> None:
    write(folder, "0.1", [1.0, 2, 3])
    (row,) = judged(folder, row_of("tilt.slope.last", "range", "2..4", "0.1"))
    assert (row["verdict"], row["as_claimed"]) == ("inconclusive", "yes")
    assert "whose error is unknown" in row["reason"]


@pytest.mark.parametrize(("nesterov", "edge"), [(False, 6.0), (True, 3.0)])
def test_over_the_edge_of_the_runs_optimizer(nesterov: bool, edge: float, folder: Any) -> None:
    """2 (1 + m) / eta is 6, and half of it with Nesterov's momentum of one half."""
    run = {"momentum": 0.5, "nesterov": nesterov, "model": {}}
    arrays = {"slope": [1.0, 2, 3, 4], "epoch": np.arange(4), "iteration": np.arange(4)}
    folder.write_measure("tilt", run_of("0.1"), "step", {"t": 4, "k": 2}, arrays, lr=0.5, config={"run": run})
    assert value(folder, "tilt.slope.late_mean.over_edge") == pytest.approx(3.5 / edge)
    assert value(folder, "tilt.slope.last.over_edge") == pytest.approx(4 / edge)
    quantity = quantity_of("tilt.slope.late_mean.over_edge")
    assert (quantity.unit, quantity.is_curve) == ("", False)
    assert quantity.definition == "Late mean of: |dL| of the Hessian examples, over the edge of the run's optimizer."
    assert quantity_of("tilt.slope.over_edge").is_curve


def test_a_ratio_is_the_first_runs_over_the_second(folder: Any) -> None:
    """Here divided by edges a factor of three apart: 2 / 0.1 and 2 / 0.3."""
    run = {"momentum": 0.0, "nesterov": False, "model": {}}
    for name, lr, slope in (("0.1", 0.1, 8.0), ("0.2", 0.3, 2.0)):
        arrays = {"slope": [0.0, slope, slope], "epoch": np.arange(3), "iteration": np.arange(3)}
        folder.write_measure("tilt", run_of(name), "step", {"t": 3, "k": 2}, arrays, lr=lr, config={"run": run})
    (row,) = judged(folder, row_of("tilt.slope.last.ratio", "range", "3..5", "0.1", "0.2"))
    assert row["value"] == pytest.approx(4)
    (row,) = judged(folder, row_of("tilt.slope.last.over_edge.ratio", "range", "1..2", "0.1", "0.2"))
    assert row["value"] == pytest.approx(4 / 3)
    quantity = quantity_of("tilt.slope.last.ratio")
    assert (quantity.unit, quantity.compare) == ("", "ratio")
    assert quantity.definition == "Last of: |dL| of the Hessian examples; first runs over second."
