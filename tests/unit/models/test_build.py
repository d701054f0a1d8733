"""Properties of every net that is built."""

import pytest
import torch
from problems import NETS, NUM_CLASSES

from sharpest.models.build import build_model


@pytest.mark.parametrize("name", NETS)
def test_init_scale_multiplies_the_kernels_and_nothing_else(name: str) -> None:
    """Embeddings and recurrent weights are kernels; biases, scales of batch normalisation and buffers are not."""
    settings, shape = NETS[name]
    plain, one, scaled = (
        build_model({**settings, **changes}, shape, NUM_CLASSES, 1, 5)
        for changes in ({}, {"init_scale": 1.0}, {"init_scale": 0.25})
    )
    kernels = 0
    for (key, value), same, other in zip(plain.named_parameters(), one.parameters(), scaled.parameters(), strict=True):
        assert torch.equal(same, value), key
        assert torch.equal(other, value * 0.25 if value.dim() > 1 else value), key
        kernels += value.dim() > 1
    assert kernels > 1
    for value, other in zip(plain.buffers(), scaled.buffers(), strict=True):
        assert torch.equal(other, value)
