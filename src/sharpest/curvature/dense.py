"""Dense layers over time with hand-written second derivatives.

Autograd adds the two terms of the output's second derivative in a separate pass, as wide as the vocabulary; here the
matrix product adds them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional


def dense_rule(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """``functional.linear`` over time; None for inputs without a time dimension, where nothing is gained."""
    if input.dim() < 3:
        return None
    output: Tensor = _Dense.apply(input.flatten(0, -2), weight, bias)
    return output.view(*input.shape[:-1], -1)


class _Dense(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        return _DenseBackward.apply(*outer, *ctx.saved_tensors, list(ctx.needs_input_grad))


class _DenseBackward(Function):
    @staticmethod
    def forward(ctx: Any, outer: Tensor, x: Tensor, weight: Tensor, needed: list[bool]) -> Any:
        ctx.save_for_backward(outer, x, weight)
        ctx.set_materialize_grads(False)
        by_x, by_weight, by_bias = needed
        return (
            outer @ weight if by_x else None,
            outer.T @ x if by_weight else None,
            outer.sum(dim=0) if by_bias else None,
        )

    @staticmethod
    def backward(ctx: Any, v_x: Tensor | None, v_weight: Tensor | None, v_bias: Tensor | None) -> Any:
        outer, x, weight = ctx.saved_tensors
        d_outer = d_x = d_weight = None
        if v_weight is not None:
            d_outer = functional.linear(x, v_weight, v_bias)
            d_x = outer @ v_weight if ctx.needs_input_grad[1] else None
        elif v_bias is not None:
            d_outer = v_bias.expand_as(outer)
        if v_x is not None:
            d_outer = v_x @ weight.T if d_outer is None else torch.addmm(d_outer, v_x, weight.T)
            d_weight = outer.T @ v_x if ctx.needs_input_grad[2] else None
        return d_outer, d_x, d_weight, None
