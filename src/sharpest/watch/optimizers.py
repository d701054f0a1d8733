"""The optimizer's edge of stability, its preconditioner, and its next step."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from sharpest.edge import adam_edge, edge
from sharpest.results.measured import FLOOR
from sharpest.watch.nets import without_half

Group = Mapping[str, Any]


@dataclass(frozen=True)
class Edges:
    """The curvatures beyond which the optimizer's current step is unstable; NaN if there is none.

    Attributes:
        hessian: Edge for the largest eigenvalue of the Hessian.
        preconditioned: Edge for the largest eigenvalue of the preconditioned Hessian.
        lr: Learning rate of all parameter groups; NaN if they differ.
        reason: Why there is no edge of the Hessian; empty if there is one, without an optimizer, and at lr 0.
    """

    hessian: float = math.nan
    preconditioned: float = math.nan
    lr: float = math.nan
    reason: str = ""


# exact classes only, because a subclass may compute another step
_KNOWN = (SGD, Adam, AdamW, RMSprop)
_SECOND_MOMENT = {Adam: "exp_avg_sq", AdamW: "exp_avg_sq", RMSprop: "square_avg"}
_SAME = ("lr", "momentum", "dampening", "nesterov", "betas")
"""Settings that must be equal in all groups for the edge to exist."""


def _edges(kind: type[Optimizer], group: Group) -> tuple[float, float]:
    """The edges of the Hessian and of the preconditioned Hessian for one group."""
    lr, decay = float(group["lr"]), float(group["weight_decay"])
    if kind is SGD:
        damped = lr * (1 - float(group["dampening"])) if group["momentum"] else lr
        # weight decay adds its coefficient to the eigenvalues of the Hessian
        return edge(damped, float(group["momentum"]), group["nesterov"]) - decay, math.nan
    if kind is RMSprop:
        return math.nan, edge(lr, float(group["momentum"]))
    return math.nan, adam_edge(lr, float(group["betas"][0]), decay if _decoupled(kind, group) else 0.0)


def _decoupled(kind: type[Optimizer], group: Group) -> bool:
    """Whether weight decay acts on the parameters directly, not through the gradient."""
    return kind is AdamW or bool(group.get("decoupled_weight_decay"))


def edges_of(optimizer: Optimizer | None, parameters: Sequence[nn.Parameter]) -> Edges:
    """The edges of an optimizer for some parameters, from its class and its current settings.

    If groups differ only in weight decay, the lowest edge counts.

    Args:
        optimizer: The optimizer of the training loop, or None.
        parameters: The measured parameters; groups without any of them are ignored.
    """
    if optimizer is None:
        return Edges()
    groups = _groups(optimizer, parameters)
    lrs = {float(group["lr"]) for group in groups}
    lr = lrs.pop() if len(lrs) == 1 else math.nan
    kind, name = type(optimizer), type(optimizer).__name__
    if kind not in _KNOWN:
        known = ", ".join(kind.__name__ for kind in _KNOWN)
        return Edges(lr=lr, reason=f"the edge of {name} is unknown; it is known for {known}")
    if any(group.get("maximize") for group in groups):
        return Edges(lr=lr, reason=f"{name} with maximize has no edge")
    if len({str([group.get(key) for key in _SAME]) for group in groups}) > 1:
        return Edges(
            lr=lr, reason="there is no edge, because the optimizer's groups differ in learning rate or momentum"
        )
    if lr == 0:  # no step, as before a warm-up and after a decay to 0
        return Edges(lr=lr)
    hessian, preconditioned = (min(pair) for pair in zip(*(_edges(kind, group) for group in groups), strict=True))
    reason = f"{name} has an edge for the preconditioned Hessian only; add the quantity preconditioned"
    return Edges(hessian, preconditioned, lr, reason if math.isnan(hessian) else "")


def _groups(optimizer: Optimizer, parameters: Sequence[nn.Parameter]) -> list[Group]:
    """The groups that hold some of the parameters."""
    measured = set(map(id, parameters))
    return [group for group in optimizer.param_groups if any(id(value) in measured for value in group["params"])]


def can_precondition(optimizer: Optimizer | None) -> bool:
    """Whether the optimizer's preconditioner is known."""
    return type(optimizer) in _SECOND_MOMENT


@dataclass(frozen=True)
class Preconditioner:
    """The diagonal P by which an adaptive optimizer divides; (p,) each.

    Attributes:
        root: P^-1/2, float64; 0 for a parameter that was never updated.
        decay: Coupled weight decay, which is added to the Hessian.
        floor: Whether epsilon dominates P.
    """

    root: Tensor
    decay: Tensor
    floor: Tensor


def preconditioner(optimizer: Optimizer, parameters: Sequence[nn.Parameter]) -> Preconditioner | None:
    """The diagonal P of the latest update; None before the first.

    After t updates P = (1 - beta1^t) (sqrt(v / (1 - beta2^t)) + epsilon) for Adam, and sqrt(v) + epsilon for RMSprop.

    Source: Cohen et al., 2022, arXiv 2207.14484.
    """
    settings = {id(value): group for group in optimizer.param_groups for value in group["params"]}
    parts = []
    for value in parameters:
        group, state = settings.get(id(value), {}), optimizer.state.get(value, {})
        root = torch.zeros(value.numel(), dtype=torch.float64, device=value.device)
        floor = torch.zeros_like(root, dtype=torch.bool)
        if _SECOND_MOMENT[type(optimizer)] in state:
            factor, root_of_v = _factors(optimizer, group, state)
            root = (factor * (root_of_v + group["eps"])).rsqrt().nan_to_num(posinf=0.0)
            floor = root_of_v < FLOOR * group["eps"]
        decay = torch.full_like(root, 0.0 if _decoupled(type(optimizer), group) else group.get("weight_decay", 0.0))
        parts.append((root, decay, floor))
    diagonal = Preconditioner(*map(torch.cat, zip(*parts, strict=True)))
    return diagonal if diagonal.root.any() else None


def _factors(optimizer: Optimizer, group: Group, state: Mapping[str, Any]) -> tuple[float, Tensor]:
    """The factor in P for one parameter, and the root of v, float64; both corrected for bias in Adam."""
    if type(optimizer) is RMSprop:
        square = state["square_avg"].double().flatten()
        if group["centered"]:
            square = (square - state["grad_avg"].double().flatten().square()).clamp(min=0)
        return 1.0, square.sqrt()
    step, (beta1, beta2) = float(state["step"]), map(float, group["betas"])
    square = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"].double().flatten()
    return 1 - beta1**step, (square / (1 - beta2**step)).sqrt()


def next_step(optimizer: Optimizer, parameters: Sequence[nn.Parameter], gradient: Tensor) -> Tensor:
    """What the optimizer would subtract from the parameters for a gradient, computed with a copy of the optimizer.

    The step includes momentum, moments and weight decay.

    Args:
        optimizer: The optimizer; not changed.
        parameters: In the order of the gradient; other parameters of the optimizer get no gradient.
        gradient: (p,).

    Returns:
        (p,) float64.

    Raises:
        ValueError: If the copy cannot step, e.g. because it needs more than a gradient.
    """
    everything = [value for group in optimizer.param_groups for value in group["params"]]
    twins = {id(value): nn.Parameter(without_half(value.detach().clone())) for value in everything}
    before = [without_half(value.detach()).double().flatten() for value in parameters]
    try:
        twin = copy.deepcopy(optimizer, dict(twins))
        for state in twin.state.values():
            state.update({name: without_half(value) for name, value in state.items() if isinstance(value, Tensor)})
        pieces = gradient.split([value.numel() for value in parameters])
        for value, piece in zip(parameters, pieces, strict=True):
            if id(value) in twins:
                twins[id(value)].grad = piece.view_as(value).to(twins[id(value)])
        twin.step()
    except Exception as error:  # the optimizer may be any class and raise anything
        raise ValueError(f"{type(optimizer).__name__} cannot be tried on a copy ({error})") from error
    after = [twins.get(id(value), value).detach().double().flatten() for value in parameters]
    return torch.cat([old - new for old, new in zip(before, after, strict=True)])
