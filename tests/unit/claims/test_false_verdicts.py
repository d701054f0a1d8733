"""How often the complete rule reaches a decision about synthetic noise, which supports no claim."""

import numpy as np
import pytest
from tiers import fast

from .chance import KINDS, NOISES, false_rate, standard_error

SEEDS = (1, 2, 3, 5)
POINTS = 25
QUICKEST = ("order of two means", "difference in a range", "sign of a mean", "rises over five levels")
FEW, MANY = 2, 10  # draws for each noise and number of seeds


def numbers_of_seeds(kind: str, noise: str) -> tuple[int, ...]:
    """The numbers of seeds for which the noise is noise."""
    return SEEDS[1:] if KINDS[kind].of_one_run and noise == "levels" else SEEDS


def check(kind: str, draws: int) -> None:
    """Over all noises and numbers of seeds together, at most 5 % plus three standard errors."""
    rates = {
        (noise, seeds): false_rate(KINDS[kind], NOISES[noise], seeds, POINTS, draws)
        for noise in NOISES
        for seeds in numbers_of_seeds(kind, noise)
    }
    assert np.mean(list(rates.values())) <= 0.05 + 3 * standard_error(draws * len(rates)), rates
    assert max(rates.values()) < 1, rates  # no kind of noise is decided every time


@pytest.mark.parametrize(
    "kind", fast(KINDS, "order of two means", "difference in a range", "sign of a mean", "rises over five levels")
)
def test_a_false_verdict_is_rare(kind: str) -> None:
    check(kind, FEW)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_false_verdict_is_rare_in_many_draws(kind: str) -> None:
    check(kind, MANY)
