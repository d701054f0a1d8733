"""The net for reviews: its published size, and its layers compared with numpy one by one."""

import numpy as np
import pytest
import torch
from problems import rng
from torch import nn

from sharpest.models.build import build_model


def settings(embedding: int = 5, filters: int = 6, hidden: int = 4, dropout: float = 0.0) -> dict[str, object]:
    return {"kind": "text_cnn", "embedding": embedding, "filters": filters, "hidden": hidden, "dropout": dropout}


@pytest.mark.parametrize(("width", "parameters"), [(250, 351_002), (500, 577_002)])
def test_parameters_of_the_published_nets(width: int, parameters: int) -> None:
    """Inventory 5.6: the base net, and the doubled one."""
    model = build_model(settings(50, width, width), (400, 5_000), 2, seed=777)
    assert sum(value.numel() for value in model.parameters()) == parameters


def test_the_largest_response_of_each_filter_is_classified() -> None:
    model = build_model(settings(), (9, 20), 3, seed=1).double().eval()
    words = torch.randint(0, 20, (4, 9), generator=rng(2))
    values = {name: value.detach().numpy() for name, value in model.named_parameters()}
    embedded = values["embedding.weight"][words.numpy()]
    windows = np.lib.stride_tricks.sliding_window_view(embedded, 3, axis=1)  # (n, 7, embedding, 3)
    responses = np.einsum("nted,fed->ntf", windows, values["convolution.weight"]) + values["convolution.bias"]
    features = np.maximum(responses, 0).max(axis=1)
    hidden = np.maximum(features @ values["hidden.weight"].T + values["hidden.bias"], 0)
    expected = hidden @ values["classifier.weight"].T + values["classifier.bias"]
    np.testing.assert_allclose(model(words).detach().numpy(), expected, atol=1e-12)


def test_initial_weights() -> None:
    """Embeddings uniform up to 0.05, the rest Glorot-uniform, biases zero."""
    model = build_model(settings(50, 100, 80), (40, 500), 2, seed=3)
    assert 0.049 < float(model.embedding.weight.detach().abs().max()) <= 0.05
    limit = np.sqrt(6 / (3 * 50 + 3 * 100))
    assert 0.98 * limit < float(model.convolution.weight.detach().abs().max()) <= limit
    assert not any(value.any() for name, value in model.named_parameters() if name.endswith("bias"))


def test_dropout_acts_on_embeddings_and_hidden_units_in_training_only() -> None:
    seen = []
    model = build_model(settings(dropout=0.5), (9, 20), 2, seed=1)
    model.dropout.register_forward_hook(lambda layer, inputs, output: seen.append(tuple(output.shape)))
    words = torch.randint(0, 20, (4, 9), generator=rng(2))
    model.train()
    torch.manual_seed(0)
    first = model(words)
    assert seen == [(4, 9, 5), (4, 4)]
    assert not torch.equal(first, model(words))
    model.eval()
    assert torch.equal(model(words), model(words))
    assert isinstance(model.dropout, nn.Dropout)
