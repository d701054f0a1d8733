"""Layers with hand-written second derivatives, for graphs that are differentiated many times.

Autograd's own second derivatives waste work on the nets of this study. For a convolution they compute weight gradients
by convolutions of unusual shapes; for ReLU and pooling they fill tensors with zeros; for the cross-entropy they pass
through the log-probabilities of all classes; for recurrent cells they take hundreds of small steps. Here the first
derivative of each layer is a function with a derivative of its own. The numbers are the same up to rounding.

For dense layers over time, autograd adds the two terms of the output's second derivative in a separate pass, as wide as
the vocabulary; here the matrix product adds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional
from torch.overrides import TorchFunctionMode


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


_aten = torch.ops.aten
Geometry = tuple[list[int], list[int], list[int], bool, list[int], int]


class SecondOrder(TorchFunctionMode):
    """Mode in which convolutions, ReLU, max pooling, cross-entropy and layers over time have cheap second derivatives.

    A function with the attribute ``second_order`` brings its own rule, which returns the function's value, or None to
    leave the call to the function itself.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        rule = _RULES.get(function) or getattr(function, "second_order", None)
        result = rule(*args, **kwargs) if rule else None
        return function(*args, **kwargs) if result is None else result


class _Convolution(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return _aten.convolution(x, weight, bias, *geometry)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        needed = list(ctx.needs_input_grad[:3])
        return *_ConvolutionBackward.apply(*outer, x, weight, ctx.geometry, needed), None


class _ConvolutionBackward(Function):
    @staticmethod
    def forward(ctx: Any, outer: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, needed: list[bool]) -> Any:
        ctx.save_for_backward(outer, x, weight)
        ctx.geometry = geometry
        ctx.set_materialize_grads(False)
        return _convolution_gradients(outer, x, weight, geometry, needed)

    @staticmethod
    def backward(ctx: Any, v_x: Tensor | None, v_weight: Tensor | None, v_bias: Tensor | None) -> Any:
        outer, x, weight = ctx.saved_tensors
        geometry = ctx.geometry
        d_outer = d_x = d_weight = None
        if v_weight is not None:
            d_outer = _aten.convolution(x, v_weight, v_bias, *geometry)
            if ctx.needs_input_grad[1]:
                d_x, *_ = _convolution_gradients(outer, x, v_weight, geometry, (True, False, False))
        elif v_bias is not None:
            d_outer = v_bias.view(-1, *[1] * (x.dim() - 2)).expand_as(outer).clone()
        if v_x is not None:
            through = _aten.convolution(v_x, weight, None, *geometry)
            d_outer = through if d_outer is None else d_outer.add_(through)
            if ctx.needs_input_grad[2]:
                _, d_weight, _ = _convolution_gradients(outer, v_x, weight, geometry, (False, True, False))
        return d_outer, d_x, d_weight, None, None


def _convolution_gradients(
    outer: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, needed: Sequence[bool]
) -> tuple[Tensor | None, ...]:
    """Gradients of a convolution by its input, weight and bias, each if needed.

    oneDNN works on 16 channels at a time. For fewer, its input gradient takes two to three times as long as the
    equivalent convolution with the flipped kernel.
    """
    stride, padding, dilation, *_, groups = geometry
    margin = [size - 1 - pad for size, pad in zip(weight.shape[2:], padding, strict=True)]
    flippable = {*stride, *dilation, groups} == {1} and min(margin) >= 0
    narrow = max(weight.shape[:2]) < 16 and outer.device.type == "cpu" and outer.is_contiguous()
    if not (flippable and narrow):
        return _aten.convolution_backward(outer, x, weight, [len(weight)], *geometry, list(needed))  # type: ignore[no-any-return]
    others = _aten.convolution_backward(outer, x, weight, [len(weight)], *geometry, [False, *needed[1:]])[1:]
    if not needed[0]:
        return None, *others
    flipped = weight.flip(*range(2, weight.dim())).transpose(0, 1)
    return _aten.convolution(outer, flipped, None, stride, margin, *geometry[2:]), *others


class _Relu(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = x.clamp_min(0)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        return _ReluBackward.apply(*outer, *ctx.saved_tensors)


class _ReluBackward(Function):
    @staticmethod
    def forward(ctx: Any, outer: Tensor, y: Tensor) -> Any:
        ctx.save_for_backward(y)
        return _aten.threshold_backward(outer, y, 0)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> Any:
        return _aten.threshold_backward(v, *ctx.saved_tensors, 0), None


class _MaxPool(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, geometry: tuple[Any, ...]) -> Tensor:
        y, where = _aten.max_pool2d_with_indices(x, *geometry)
        ctx.save_for_backward(x, where)
        ctx.geometry = geometry
        return y  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        return _MaxPoolBackward.apply(*outer, *ctx.saved_tensors, ctx.geometry), None


class _MaxPoolBackward(Function):
    @staticmethod
    def forward(ctx: Any, outer: Tensor, x: Tensor, where: Tensor, geometry: tuple[Any, ...]) -> Any:
        ctx.save_for_backward(where)
        return _aten.max_pool2d_with_indices_backward(outer, x, *geometry, where)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> Any:
        (where,) = ctx.saved_tensors
        if where.is_contiguous(memory_format=torch.channels_last):
            # gathered with pixels before channels, as in memory
            n, c, h, w = where.shape
            pixels = where.permute(0, 2, 3, 1).reshape(n, h * w, c)
            picked = v.permute(0, 2, 3, 1).reshape(n, -1, c).gather(1, pixels)
            return picked.view(n, h, w, c).permute(0, 3, 1, 2), None, None, None
        return v.flatten(2).gather(2, where.flatten(2)).view_as(where), None, None, None


class _CrossEntropy(Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, ignored: int) -> Tensor:
        ctx.save_for_backward(logits, targets)
        ctx.ignored = ignored
        return _aten.cross_entropy_loss(logits, targets, ignore_index=ignored)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        return _CrossEntropyBackward.apply(*outer, *ctx.saved_tensors, ctx.ignored), None, None


class _CrossEntropyBackward(Function):
    @staticmethod
    def forward(ctx: Any, outer: Tensor, logits: Tensor, targets: Tensor, ignored: int) -> Any:
        counts = targets != ignored  # stays on the device: the host does not wait to learn if any is ignored
        number = counts.sum()
        targets, counted = targets.where(counts, 0), counts[:, None].to(logits)
        probabilities = logits.softmax(dim=1)
        shares = outer / number * counted
        ctx.save_for_backward(shares, probabilities, targets, counted, number)
        change = probabilities.clone()
        change[torch.arange(len(targets), device=targets.device), targets] -= 1
        return change.mul_(shares)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> Any:
        shares, probabilities, targets, counted, number = ctx.saved_tensors
        weighted = probabilities * v
        mean = weighted.sum(dim=1, keepdim=True)
        d_outer = ((mean * counted).sum() - (v.gather(1, targets[:, None]) * counted).sum()) / number
        return d_outer, weighted.addcmul_(probabilities, mean, value=-1).mul_(shares), None, None


def _pair(value: int | Sequence[int], number: int) -> list[int]:
    return [value] * number if isinstance(value, int) else list(value)


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor | None:
    number = weight.dim() - 2
    if input.dim() != weight.dim():  # a single image without a batch dimension
        return None
    stride, dilation = _pair(stride, number), _pair(dilation, number)
    if padding == "same":
        reach = [step * (size - 1) for step, size in zip(dilation, weight.shape[2:], strict=True)]
        if any(whole % 2 for whole in reach):  # an even kernel pads one side more
            return None
        padding = [whole // 2 for whole in reach]
    padding = [0] * number if padding == "valid" else _pair(padding, number)
    geometry = (stride, padding, dilation, False, [0] * number, groups)
    return _Convolution.apply(input, weight, bias, geometry)  # type: ignore[no-any-return]


def _relu(input: Tensor, inplace: bool = False) -> Tensor | None:
    return None if inplace else _Relu.apply(input)


def _max_pool(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    if return_indices or input.dim() != 4:
        return None
    kernel = _pair(kernel_size, 2)
    geometry = (kernel, _pair(stride or kernel, 2), _pair(padding, 2), _pair(dilation, 2), ceil_mode)
    return _MaxPool.apply(input, geometry)  # type: ignore[no-any-return]


def _cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor | None:
    options = (weight, size_average, reduce, reduction, label_smoothing)
    if options != (None, None, None, "mean", 0.0) or input.dim() != 2 or target.dim() != 1:
        return None
    return _CrossEntropy.apply(input, target, ignore_index)  # type: ignore[no-any-return]


_RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    functional.conv1d: _convolution,
    functional.conv2d: _convolution,
    functional.linear: dense_rule,
    functional.relu: _relu,
    torch.relu: _relu,
    Tensor.relu: _relu,
    functional.max_pool2d: _max_pool,
    functional.cross_entropy: _cross_entropy,
}
