"""The edge of a measured run is that of its own optimizer."""

from types import SimpleNamespace

import pytest

from sharpest.claims.edges import edge_of
from sharpest.edge import adam_edge, edge


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ({"momentum": 0.5, "nesterov": True}, edge(0.1, 0.5, nesterov=True)),  # without an optimizer key
        ({"optimizer": "sgd", "momentum": 0.5, "nesterov": False, "beta1": 0.0}, edge(0.1, 0.5)),
        ({"optimizer": "adam", "momentum": 0.0, "beta1": 0.9, "weight_decay": 0.0}, 380.0),
        ({"optimizer": "adamw", "momentum": 0.0, "beta1": 0.9, "weight_decay": 2.0}, adam_edge(0.1, 0.9, 2.0)),
        ({"optimizer": "rmsprop", "momentum": 0.0, "beta1": 0.0, "weight_decay": 0.0}, 20.0),
    ],
)
def test_the_edge_is_that_of_the_optimizer(run, expected):
    assert edge_of(SimpleNamespace(lr=0.1, attributes={"config": {"run": run}})) == pytest.approx(expected)
