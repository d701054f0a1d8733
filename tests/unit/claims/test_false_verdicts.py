"""How often the whole rule decides about made noise, which bears no claim out."""

import numpy as np
import pytest

from .chance import KINDS, NOISES, false_rate, standard_error

SEEDS = (1, 2, 3, 5)
POINTS = 25
FEW, MANY = 2, 10  # draws for each noise and number of seeds


def asked(kind: str, noise: str) -> tuple[int, ...]:
    """The numbers of seeds at which the noise is noise."""
    return SEEDS[1:] if KINDS[kind].of_one_run and noise == "levels" else SEEDS


def check(kind: str, draws: int) -> None:
    """Over all noises and numbers of seeds together, at most 5 % and three standard errors."""
    rates = {
        (noise, seeds): false_rate(KINDS[kind], NOISES[noise], seeds, POINTS, draws)
        for noise in NOISES
        for seeds in asked(kind, noise)
    }
    assert np.mean(list(rates.values())) <= 0.05 + 3 * standard_error(draws * len(rates)), rates
    assert max(rates.values()) < 1, rates  # no noise is decided each time


@pytest.mark.parametrize("kind", KINDS)
def test_a_false_verdict_is_rare(kind: str) -> None:
    check(kind, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_false_verdict_is_rare_in_many_draws(kind: str) -> None:
    check(kind, MANY)
