"""The paper's language model: LSTM layers over words; training carries their state from window to window."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sharpest.config.architectures import LstmSettings
from sharpest.models.layers import EMBEDDING_LIMIT, glorot_uniform
from sharpest.models.recurrence import lstm_cells


class LstmLayer(nn.Module):
    """One layer of LSTM cells with a single bias, twice differentiable on every device.

    torch's own layer has two biases, and cuDNN's has no second derivative.

    Args:
        width: Number of units, and of inputs.
        rng: Draws Glorot-uniform input weights and orthogonal recurrent weights; biases start at zero.

    Source: inventory 5.5 (ordinary sigmoid, forget bias zero).
    """

    def __init__(self, width: int, rng: torch.Generator) -> None:
        super().__init__()
        self.inputs = nn.Linear(width, 4 * width)
        self.recurrent = nn.Linear(width, 4 * width, bias=False)
        glorot_uniform(self.inputs, rng)
        nn.init.orthogonal_(self.recurrent.weight, generator=rng)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run over time.

        Args:
            x: (n, time, width).
            hidden, cell: (n, width), the state before the first step.

        Returns:
            (n, time, width) outputs; the state after the last step.
        """
        return lstm_cells(self.inputs(x), self.recurrent.weight, hidden, cell)


class LSTM(nn.Module):
    """Embedding, dropout, LSTM layers with dropout after each, dense layer over the vocabulary.

    In training mode the buffer ``state`` keeps the state after a window, and the next window starts from it; gradients
    do not flow through it. In inference mode every window starts from zero, so that the loss depends only on the
    examples.

    Args:
        settings: Width, layers, dropout.
        vocabulary: Number of distinct words.
        batch_size: Windows per training batch; each has its own state.
        rng: Draws the weights.

    Attributes:
        carried_state: Names of the buffers that are reset to zero at the start of an epoch.

    Source: inventory 5.5.
    """

    carried_state = ("state",)
    state: Tensor

    def __init__(self, settings: LstmSettings, vocabulary: int, batch_size: int, rng: torch.Generator) -> None:
        super().__init__()
        width = settings.width
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(LstmLayer(width, rng) for _ in range(settings.num_layers))
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(width, vocabulary)
        glorot_uniform(self.classifier, rng)
        nn.init.uniform_(self.embedding.weight, -EMBEDDING_LIMIT, EMBEDDING_LIMIT, generator=rng)
        self.register_buffer("state", torch.zeros(settings.num_layers, 2, batch_size, width))

    def forward(self, words: Tensor) -> Tensor:
        """(n, time) words to (n, time, vocabulary) logits of the next words."""
        x = self.dropout(self.embedding(words))
        # a copy, because the buffer is overwritten before gradients flow back
        state = self.state.clone() if self.training else x.new_zeros(len(self.layers), 2, len(words), x.shape[2])
        after = []
        for layer, (hidden, cell) in zip(self.layers, state, strict=True):
            x, hidden, cell = layer(x, hidden, cell)
            after.append(torch.stack([hidden, cell]))
            x = self.dropout(x)
        if self.training:
            self.state.copy_(torch.stack(after).detach())
        return self.classifier(x)  # type: ignore[no-any-return]


def build(
    settings: Mapping[str, Any], input_shape: tuple[int, ...], num_classes: int, batch_size: int, rng: torch.Generator
) -> LSTM:
    """The model for ``sharpest.models.build.build_model``."""
    return LSTM(LstmSettings.model_validate(settings), input_shape[1], batch_size, rng)
