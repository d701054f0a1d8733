"""How often the whole rule decides about made noise, which bears no claim out."""

from functools import cache

import numpy as np
import pytest

from .chance import KINDS, NOISES, false_rate, standard_error

SEEDS = (1, 2, 3, 5)
POINTS = 60
FAST, THOROUGH = 4, 300  # draws for each kind, noise and number of seeds


def asked(kind: str, noise: str) -> tuple[int, ...]:
    """The numbers of seeds at which the noise is noise."""
    return SEEDS[1:] if KINDS[kind].of_one_run and noise == "levels" else SEEDS


@cache
def rate(kind: str, noise: str, seeds: int, draws: int) -> float:
    return false_rate(KINDS[kind], NOISES[noise], seeds, POINTS, draws)


@pytest.mark.parametrize("kind", KINDS)
def test_a_false_verdict_is_rare(kind: str) -> None:
    """Few draws each, over all noises and numbers of seeds together."""
    rates = {(noise, seeds): rate(kind, noise, seeds, FAST) for noise in NOISES for seeds in asked(kind, noise)}
    most = 0.05 + 3 * standard_error(FAST * len(rates))
    assert np.mean(list(rates.values())) <= most, rates


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_false_verdict_is_rare_for_each_noise_and_number_of_seeds(kind: str, noise: str) -> None:
    rates = {seeds: rate(kind, noise, seeds, THOROUGH) for seeds in asked(kind, noise)}
    assert max(rates.values()) <= 0.05 + 3 * standard_error(THOROUGH), rates
