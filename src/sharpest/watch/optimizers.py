"""What an optimizer says of stability: its edge, its preconditioner, and the step that it would make."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from sharpest.edge import adam_edge, edge
from sharpest.results.measured.preconditioned import FLOOR
from sharpest.watch.batches import without_half

Group = Mapping[str, Any]


@dataclass(frozen=True)
class Edges:
    """The curvatures beyond which steps grow, as the optimizer stands now; NaN where there is none.

    Attributes:
        hessian: For the largest eigenvalue of the Hessian.
        preconditioned: For that of the preconditioned Hessian.
        lr: Of all groups of parameters.
        reason: Why there is none; empty where nobody asked for one.
    """

    hessian: float = math.nan
    preconditioned: float = math.nan
    lr: float = math.nan
    reason: str = ""


def _sgd(group: Group) -> tuple[float, float]:
    lr, momentum = float(group["lr"]), float(group["momentum"])
    damped = lr * (1 - float(group["dampening"])) if momentum else lr
    # weight decay adds its c to the Hessian of the loss
    return edge(damped, momentum, group["nesterov"]) - float(group["weight_decay"]), math.nan


def _adam(group: Group) -> tuple[float, float]:
    decay = float(group["weight_decay"]) if group.get("decoupled_weight_decay") else 0.0
    return math.nan, adam_edge(float(group["lr"]), float(group["betas"][0]), decay)


def _adamw(group: Group) -> tuple[float, float]:
    return math.nan, adam_edge(float(group["lr"]), float(group["betas"][0]), float(group["weight_decay"]))


def _rmsprop(group: Group) -> tuple[float, float]:
    return math.nan, edge(float(group["lr"]), float(group["momentum"]))


# exact classes: a subclass may step otherwise
_EDGES: dict[type[Optimizer], Callable[[Group], tuple[float, float]]] = {
    SGD: _sgd,
    Adam: _adam,
    AdamW: _adamw,
    RMSprop: _rmsprop,
}
_SECOND_MOMENT = {Adam: "exp_avg_sq", AdamW: "exp_avg_sq", RMSprop: "square_avg"}
_SAME = ("lr", "momentum", "dampening", "nesterov", "betas")
"""What all groups must have alike, for one edge to be there."""


def edges_of(optimizer: Optimizer | None, parameters: Sequence[nn.Parameter]) -> Edges:
    """The edges of an optimizer for some parameters, by its class and its current settings.

    Of groups that differ in weight decay only, the lowest edge counts.

    Args:
        optimizer: That of the training loop, or None.
        parameters: Those that are measured; groups without any of them do not count.
    """
    if optimizer is None:
        return Edges()
    groups = _groups(optimizer, parameters)
    lrs = {float(group["lr"]) for group in groups}
    lr = lrs.pop() if len(lrs) == 1 else math.nan
    name, rule = type(optimizer).__name__, _EDGES.get(type(optimizer))
    if rule is None:
        known = ", ".join(kind.__name__ for kind in _EDGES)
        return Edges(lr=lr, reason=f"the edge of {name} is not known; it is that of {known} only")
    if any(group.get("maximize") for group in groups):
        return Edges(lr=lr, reason=f"{name} maximises, and has no edge")
    if len({str([group.get(key) for key in _SAME]) for group in groups}) > 1:
        return Edges(lr=lr, reason="the edge is that of one learning rate and momentum; the optimizer's groups differ")
    if lr == 0:
        return Edges(math.inf, math.inf, lr)
    hessian, preconditioned = (min(pair) for pair in zip(*map(rule, groups), strict=True))
    reason = f"with {name} the edge is that of the preconditioned Hessian; ask for the quantity preconditioned"
    return Edges(hessian, preconditioned, lr, reason if math.isnan(hessian) else "")


def _groups(optimizer: Optimizer, parameters: Sequence[nn.Parameter]) -> list[Group]:
    """The groups that hold some of the parameters."""
    measured = set(map(id, parameters))
    return [group for group in optimizer.param_groups if any(id(value) in measured for value in group["params"])]


def check_optimizer(optimizer: Any, parameters: Sequence[nn.Parameter]) -> None:
    """Refuse an optimizer of other parameters.

    Raises:
        ValueError: If it is none, or trains none of the parameters.
    """
    if optimizer is None:
        return
    if not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer is {type(optimizer).__name__}; give a torch.optim.Optimizer, or none")
    if not _groups(optimizer, parameters):
        raise ValueError("the optimizer trains none of the model's parameters; give the one that does")


def can_precondition(optimizer: Optimizer | None) -> bool:
    """Whether a preconditioner is known."""
    return type(optimizer) in _SECOND_MOMENT


@dataclass(frozen=True)
class Preconditioner:
    """What an adaptive optimizer divides by, at each of p parameters.

    Attributes:
        root: P^-1/2, float64; 0 where a parameter was never updated.
        decay: Coupled weight decay, which adds to the Hessian.
        floor: Whether epsilon decides P.
    """

    root: Tensor
    decay: Tensor
    floor: Tensor


def preconditioner(optimizer: Optimizer, parameters: Sequence[nn.Parameter]) -> Preconditioner | None:
    """The diagonal P of the latest update; None before the first.

    P = (1 - beta1^t) (sqrt(v / (1 - beta2^t)) + epsilon) of Adam after t updates, sqrt(v) + epsilon of RMSprop.

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
        decoupled = type(optimizer) is AdamW or group.get("decoupled_weight_decay")
        decay = torch.full_like(root, 0.0 if decoupled else group.get("weight_decay", 0.0))
        parts.append((root, decay, floor))
    found = Preconditioner(*map(torch.cat, zip(*parts, strict=True)))
    return found if found.root.any() else None


def _factors(optimizer: Optimizer, group: Group, state: Mapping[str, Any]) -> tuple[float, Tensor]:
    """Of P at one parameter: a factor, and the root of v without bias, float64."""
    if type(optimizer) is RMSprop:
        square = state["square_avg"].double().flatten()
        if group["centered"]:
            square = (square - state["grad_avg"].double().flatten().square()).clamp(min=0)
        return 1.0, square.sqrt()
    step, (beta1, beta2) = float(state["step"]), map(float, group["betas"])
    square = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"].double().flatten()
    return 1 - beta1**step, (square / (1 - beta2**step)).sqrt()


def next_step(optimizer: Optimizer, parameters: Sequence[nn.Parameter], gradient: Tensor) -> Tensor:
    """What the optimizer would subtract from the parameters at a gradient: a twin of it makes the step.

    Momentum, moments and weight decay are part of it.

    Args:
        optimizer: Left as it is.
        parameters: In the order of the gradient; others that it trains have none.
        gradient: (p,).

    Returns:
        (p,) float64.

    Raises:
        ValueError: If the twin cannot step by its gradient alone.
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
    except Exception as error:  # any optimizer may be given, and any error come of it
        raise ValueError(f"{type(optimizer).__name__} cannot be tried on a copy ({error})") from error
    after = [twins.get(id(value), value).detach().double().flatten() for value in parameters]
    return torch.cat([old - new for old, new in zip(before, after, strict=True)])
