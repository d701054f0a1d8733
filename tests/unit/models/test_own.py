"""Plain torch modules as nets."""

import sys
from types import ModuleType

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from sharpest.models.build import build_model, builder


class Net(nn.Module):
    """A net as in docs/your-own.md."""

    def __init__(self, image_shape: tuple[int, ...], num_classes: int, hidden: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(image_shape[1] ** 2, hidden), nn.Linear(hidden, num_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


SETTINGS = {"kind": "own", "net": "a_net", "options": {"hidden": 7}, "image_size": None}


@pytest.fixture(autouse=True)
def _a_net(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sharpest.models.a_net")
    module.build = builder(Net)
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_the_class_gets_shape_classes_and_options() -> None:
    model = build_model(SETTINGS, (1, 4, 4), 5, 1)
    assert [layer.weight.shape for layer in model.layers[1:]] == [(7, 16), (5, 7)]


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValidationError):
        build_model({**SETTINGS, "hidden": 3}, (1, 4, 4), 5, 1)


def test_weights_depend_only_on_the_seed_and_leave_the_global_generator_as_it_was() -> None:
    def weights(seed: int) -> Tensor:
        return nn.utils.parameters_to_vector(build_model(SETTINGS, (1, 4, 4), 5, seed).parameters())

    first = weights(1)
    torch.rand(3)
    before = torch.random.get_rng_state()
    assert torch.equal(weights(1), first)
    assert not torch.equal(weights(2), first)
    assert torch.equal(torch.random.get_rng_state(), before)
