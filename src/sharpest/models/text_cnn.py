"""The convolutional net for reviews (inventory 5.6)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sharpest.config.architectures import TextCnnSettings
from sharpest.models.build import EMBEDDING_LIMIT, glorot_uniform

_KERNEL = 3  # words


class TextCNN(nn.Module):
    """Embedding, dropout, convolution, ReLU, global max pooling, dense, dropout, ReLU, dense.

    Args:
        settings: Width of each layer, dropout.
        vocabulary: Number of word ids, including padding.
        num_classes: Number of outputs.
        rng: Draws the weights; biases start at zero.

    Source: inventory 5.6 (Keras' example for IMDB, with two outputs).
    """

    def __init__(self, settings: TextCnnSettings, vocabulary: int, num_classes: int, rng: torch.Generator) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, settings.embedding)
        self.convolution = nn.Conv1d(settings.embedding, settings.filters, _KERNEL)
        self.hidden = nn.Linear(settings.filters, settings.hidden)
        self.classifier = nn.Linear(settings.hidden, num_classes)
        self.dropout = nn.Dropout(settings.dropout)
        nn.init.uniform_(self.embedding.weight, -EMBEDDING_LIMIT, EMBEDDING_LIMIT, generator=rng)
        glorot_uniform(self, rng)

    def forward(self, words: Tensor) -> Tensor:
        """(n, time) word ids to (n, classes) logits."""
        responses = self.convolution(self.dropout(self.embedding(words)).transpose(1, 2)).relu()
        return self.classifier(self.dropout(self.hidden(responses.amax(dim=2))).relu())  # type: ignore[no-any-return]


def build(
    settings: Mapping[str, Any], input_shape: tuple[int, ...], num_classes: int, batch_size: int, rng: torch.Generator
) -> TextCNN:
    """The model for ``sharpest.models.build.build_model``."""
    return TextCNN(TextCnnSettings.model_validate(settings), input_shape[1], num_classes, rng)
