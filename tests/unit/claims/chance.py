"""Claims about synthetic noise, all of them untrue: how often the complete rule reaches a decision."""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sharpest.claims.judgement import Judge
from sharpest.claims.ledger import COLUMNS, parse_claim
from sharpest.claims.quantity import RunSource
from sharpest.claims.samples import Reading, SampleReader
from sharpest.claims.shapes import Series
from sharpest.claims.verdicts import Sample
from sharpest.results.runs import Results

Noise = Callable[[np.random.Generator, int], NDArray[np.float64]]


def white(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.standard_normal(count)


def slow(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """AR(0.8)."""
    values = rng.standard_normal(count + 100)
    for place in range(1, count + 100):
        values[place] += 0.8 * values[place - 1]
    return values[100:]


def levels(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """White noise around a level of each run, which varies five times as much."""
    return rng.standard_normal(count) + 5 * rng.standard_normal()


NOISES: Mapping[str, Noise] = {"white": white, "AR(0.8)": slow, "levels": levels}


@dataclass(frozen=True)
class Kind:
    """A kind of claim that noise does not support.

    Attributes:
        quantity, kind, expected, tolerance: As in the ledger.
        groups: Runs that differ in more than their seed.
        false: Verdicts that are false. For a shape, which noise does not have, only ``holds`` is false.
        add: Added to the noise, so that the true number is at the bound of the claim.
        columns: Curves of a run.
        of_one_run: Whether the claim is about the mean of one run, whose own level is then the answer, not noise.
    """

    quantity: str
    kind: str
    expected: str
    tolerance: str = ""
    groups: int = 1
    false: Sequence[str] = ("holds", "fails")
    add: float = 0.0
    columns: int = 1
    of_one_run: bool = False


KINDS: Mapping[str, Kind] = {
    "order of two means": Kind("lambda_after", "order", "a>b", groups=2),
    "order of two peaks": Kind("lambda_max_peak", "order", "a>b", groups=2),
    "order of three peaks": Kind("lambda_max_peak", "order", "a>b>c", groups=3),
    "order of three epochs": Kind("lambda_max_peak_epoch", "order", "a>b>c", groups=3),
    "difference in a range": Kind("test_acc_diff", "range", "0..3", groups=2),
    "order of two end points": Kind("dist", "order", "a>b", groups=2),
    "sign of a mean": Kind("lambda_after", "sign", "+", of_one_run=True),
    "sign of a change": Kind("frobenius_change_after_drop", "sign", "+"),
    "mean in a range": Kind("lambda_after", "range", "0..3", of_one_run=True),
    "end point in a range": Kind("dist", "range", "0..3"),
    "rises over five levels": Kind("dist", "trend", "rises", groups=5, false=("holds",)),
    "curves that move together": Kind("train_acc_with_lambda_max", "sign", "+", columns=2),
    **{
        shape: Kind("lambda_max", "trend", shape, false=("holds",))
        for shape in (
            "rises", "falls", "rises-for-long", "rises-then-settles", "rises-then-falls", "rises-then-falls-steadily",
            "rises-then-oscillates",
        )
    },
    "rises-then-falls, recovers": Kind("train_acc", "trend", "rises-then-falls", false=("holds",)),
}  # fmt: skip


class _Made(SampleReader):
    """Replaces measured curves and numbers by noise, different for each run and draw."""

    def __init__(self, noise: Noise, kind: Kind, points: int, draw: int) -> None:
        super().__init__(Results(Path()))
        self.noise, self.kind, self.points, self.draw = noise, kind, points, draw

    def content(self, reading: Reading, source: RunSource, facet: str) -> Series | Sample:
        rng = np.random.default_rng([self.draw, zlib.crc32(source.run.encode())])
        if reading.statistic is None:
            return Sample(float(self.noise(rng, 1)[0]) + self.kind.add)
        curves = np.stack([self.noise(rng, self.points) for _ in range(self.kind.columns)], axis=1)
        first = -(self.points // 2) if "drop" in self.kind.quantity else 0
        return Series(np.arange(first, first + self.points, dtype=float), curves + self.kind.add)


def judged(kind: Kind, noise: Noise, seeds: int, points: int, draw: int) -> str:
    """The verdict on one draw."""
    runs = [f"scnn-c10-sgd-lr{lr + 1}-S128-s{1001 + seed}" for lr in range(kind.groups) for seed in range(seeds)]
    row = dict.fromkeys(COLUMNS, "") | {
        "id": "made", "item": "fig4", "kind": kind.kind, "subject": ";".join(runs), "quantity": kind.quantity,
        "expected": kind.expected, "tolerance": kind.tolerance, "any_scale": "yes", "kind_of": "finding",
    }  # fmt: skip
    claim = parse_claim(row)
    plans = {"made": tuple(RunSource(run=run) for run in runs)}
    judgement, _ = Judge(claim, plans, _Made(noise, kind, points, draw), (claim,)).judgement()
    return judgement.verdict


def false_rate(kind: Kind, noise: Noise, seeds: int, points: int, draws: int) -> float:
    """Fraction of false verdicts."""
    return float(np.mean([judged(kind, noise, seeds, points, draw) in kind.false for draw in range(draws)]))


def standard_error(draws: int) -> float:
    """Standard error of a rate of 5 %."""
    return math.sqrt(0.05 * 0.95 / draws)
