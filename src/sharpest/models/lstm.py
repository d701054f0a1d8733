"""The paper's language model: LSTM layers over words; training carries their state from window to window.

Second derivatives of the cells are written by hand. Letters: n examples, w units. Inside the autograd functions time
is the first dimension. The four gates are i, f, g, o.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function

from sharpest.config.architectures import LstmSettings
from sharpest.models.build import EMBEDDING_LIMIT, glorot_uniform


def lstm_cells(driven: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Run one layer over time.

    Args:
        driven: (n, time, 4w), contribution of the inputs, with biases, to the pre-activations of the gates i, f, g, o.
        weight: (4w, w), recurrent weight.
        hidden, cell: (n, w), the state before the first step.

    Returns:
        (n, time, w) outputs; hidden and cell after the last step.
    """
    arguments = (driven, weight, hidden, cell)
    if has_torch_function(arguments):
        return handle_torch_function(lstm_cells, arguments, *arguments)  # type: ignore[no-any-return]
    outputs = []
    for inputs in driven.unbind(1):
        i, f, g, o = (inputs + functional.linear(hidden, weight)).chunk(4, dim=1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return torch.stack(outputs, dim=1), hidden, cell


def _second_order(driven: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
    """The same function, cheap to differentiate twice; None if the initial state needs a gradient as well."""
    if hidden.requires_grad or cell.requires_grad:
        return None
    hiddens, cells, _ = _Cells.apply(driven.transpose(0, 1), weight, hidden, cell)
    return hiddens.transpose(0, 1), hiddens[-1], cells[-1]


lstm_cells.second_order = _second_order  # type: ignore[attr-defined]


class _Cells(Function):
    """Hidden states and cells (time, n, w), and gates (time, n, 4, w): all the values that the first derivative needs.

    A gradient with respect to the output gates is taken as one with respect to their pre-activations.
    """

    @staticmethod
    def forward(ctx: Any, driven: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor) -> Any:
        gates = driven.new_empty(*driven.shape[:2], 4, len(weight) // 4)
        hiddens, cells = (driven.new_empty(len(driven) + 1, *cell.shape) for _ in range(2))
        hiddens[0], cells[0] = hidden, cell
        for step, inputs in enumerate(driven):
            i, f, g, o = torch.addmm(inputs, hiddens[step], weight.T).chunk(4, dim=1)
            i, f, g, o = torch.stack([i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()], dim=1, out=gates[step]).unbind(
                1
            )
            torch.addcmul(f * cells[step], i, g, out=cells[step + 1])
            torch.mul(o, cells[step + 1].tanh(), out=hiddens[step + 1])
        i, f, g, o = gates.unbind(2)
        squashed = cells[1:].tanh()
        slopes = torch.stack([i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o)], dim=2)
        # derivatives of the cell by the pre-activations of i, f and g, and of the hidden state by that of o
        drives = slopes * torch.stack([g, cells[:-1], i, squashed], dim=2)
        shown = 1 - squashed * squashed  # derivative of tanh(cell) by the cell
        outputs = hiddens[1:].clone(), cells[1:].clone(), gates
        ctx.save_for_backward(weight, *outputs, hiddens[:-1], squashed, slopes, drives, shown)
        return outputs

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        return *_CellsBackward.apply(*outer, *ctx.saved_tensors), None, None


class _CellsBackward(Function):
    """Gradients with respect to the gates' pre-activations and the recurrent weight."""

    @staticmethod
    def forward(
        ctx: Any, by_hiddens: Tensor, by_cells: Tensor, by_gates: Tensor, weight: Tensor, *saved: Tensor
    ) -> Any:
        _, _, gates, before, squashed, slopes, drives, shown = saved
        i, f, g, o = gates.unbind(2)
        by_hiddens, by_cells, by_driven = (_copied(values) for values in (by_hiddens, by_cells, by_gates))
        through = o * shown  # derivative of a hidden state by its cell
        for step in reversed(range(len(gates))):
            hidden, cell, driven = by_hiddens[step], by_cells[step], by_driven[step]
            cell.addcmul_(hidden, through[step])
            driven[:, :3].addcmul_(drives[step, :, :3], cell[:, None])
            driven[:, 3].addcmul_(drives[step, :, 3], hidden)
            if step:
                by_cells[step - 1].addcmul_(cell, f[step])
                by_hiddens[step - 1].addmm_(driven.flatten(1), weight)
        if any(ctx.needs_input_grad):
            # second derivatives of a cell f c + i g and of a hidden state o tanh(c)
            bends = torch.stack([1 - 2 * i, 1 - 2 * f, -2 * g, 1 - 2 * o], dim=2) * drives
            bends[:, :, :3] *= by_cells[:, :, None]
            bends[:, :, 3] *= by_hiddens
            d_i, d_f, d_g, d_o = slopes.unbind(2)
            mixed = by_cells * d_i * d_g, by_cells * d_f, by_hiddens * d_o * shown, -2 * by_hiddens * through * squashed
            ctx.save_for_backward(weight, f, before, drives, through, by_driven, bends, *mixed)
        return by_driven.flatten(2), by_driven.flatten(0, 1).flatten(1).T @ before.flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, v_driven: Tensor, v_weight: Tensor) -> Any:
        if torch.is_grad_enabled():
            raise NotImplementedError("third derivatives of LSTM cells are not implemented")
        weight, f, before, drives, through, by_driven, bends, i_g, f_cell, o_cell, cell_cell = ctx.saved_tensors
        # as the tangents of a forward pass
        v = _copied(v_driven)
        v.flatten(0, 1).addmm_(before.flatten(0, 1), v_weight.T)
        v = v.view_as(by_driven)
        v_hiddens, v_cells = torch.empty_like(through), torch.empty_like(through)
        for step in range(len(v)):
            if step:
                v[step].flatten(1).addmm_(v_hiddens[step - 1], weight.T)
            driven = v[step] * drives[step]
            torch.sum(driven[:, :3], dim=1, out=v_cells[step])
            if step:
                v_cells[step].addcmul_(v_cells[step - 1], f[step])
            torch.addcmul(driven[:, 3], v_cells[step], through[step], out=v_hiddens[step])
        # gradients with respect to pre-activations, cells, hidden states and the weight
        v_i, v_f, v_g, v_o = v.unbind(2)
        by_gates = v * bends
        by_gates[:, :, 0].addcmul_(v_g, i_g)
        by_gates[:, :, 2].addcmul_(v_i, i_g)
        by_gates[1:, :, 1].addcmul_(v_cells[:-1], f_cell[1:])
        by_gates[:, :, 3].addcmul_(v_cells, o_cell)
        by_cells = (v_o * o_cell).addcmul_(v_cells, cell_cell)
        by_cells[:-1].addcmul_(v_f[1:], f_cell[1:])
        by_hiddens, later = torch.zeros_like(v_hiddens), by_driven[1:].flatten(0, 1).flatten(1)
        torch.mm(later, v_weight, out=by_hiddens[:-1].view(-1, by_hiddens.shape[2]))
        by_weight = later.T @ v_hiddens[:-1].flatten(0, 1)
        return v_hiddens, v_cells, v, by_weight, by_hiddens, by_cells, by_gates, *[None] * 5


def _copied(values: Tensor) -> Tensor:
    return values.clone(memory_format=torch.contiguous_format)


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
