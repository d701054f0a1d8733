"""The start of a monitor: what is watched, how often, and which mistakes are refused."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from torch import nn
from torch.optim import Optimizer

from sharpest.watch.kept import Kept, provenance
from sharpest.watch.moment import Settings, Subject
from sharpest.watch.nets import bare, refuse_sharded, trained, weights_of
from sharpest.watch.optimizers import can_precondition
from sharpest.watch.quantities import QUANTITIES


class Schedule:
    """Measures every n steps or at given steps, and less often if that would exceed a budget.

    Args:
        every: Steps between measurements; None if ``at`` is given, or for the default.
        at: The steps to measure at.
        budget: Largest ratio of measurement time to training time, which is all other time; None = no limit.
        clock: Returns the time in seconds.

    Raises:
        ValueError: If arguments contradict each other, or are out of range.
    """

    def __init__(
        self,
        every: int | None,
        at: Collection[int] | None,
        budget: float | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if every is not None and at is not None:
            raise ValueError("every and at both set the steps to measure at; pass one of them")
        if at is not None and budget is not None:
            raise ValueError("budget changes every, but at sets fixed steps; pass one of them")
        if every is not None and every < 1:
            raise ValueError(f"every {every} must be at least 1")
        if budget is not None and not 0 < budget < 1:
            raise ValueError(f"budget {budget} must lie between 0 and 1: it is a share of training time")
        self._at = None if at is None else frozenset(at)
        self._every = 100 if every is None else every
        self._budget, self._clock, self._began = budget, clock, clock()
        self._spent = self._latest = 0.0

    def due(self, step: int) -> bool:
        """Whether a measurement is due at a step."""
        if self._at is not None:
            return step in self._at
        return step % self._every == 0 and self._affordable()

    def _affordable(self) -> bool:
        """Whether another measurement, at the cost of the latest, stays within the budget."""
        if self._budget is None or not self._spent:
            return True
        training = self._clock() - self._began - self._spent
        return self._spent + self._latest <= self._budget * training

    def spent(self, seconds: float) -> None:
        """Record the duration of a measurement."""
        self._latest = seconds
        self._spent += seconds


class WatchWarning(UserWarning):
    """A warning from a monitor; each is issued once."""


def check_settings(settings: Settings, optimizer: Optimizer | None, steps_per_epoch: int | None) -> None:
    """Refuse settings that are out of range or do not fit the optimizer, and anything that is not an optimizer."""
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise ValueError(f"optimizer is {type(optimizer).__name__}, expected a torch.optim.Optimizer or None")
    known = ", ".join(QUANTITIES)
    if not settings.quantities:
        raise ValueError(f"quantities is empty; pass one or more of {known}")
    if unknown := [name for name in settings.quantities if name not in QUANTITIES]:
        raise ValueError(f"unknown quantities {', '.join(map(repr, unknown))}; pass one or more of {known}")
    if settings.mode not in ("current", "inference"):
        raise ValueError(f"mode {settings.mode!r} must be 'current' or 'inference'")
    counts = {
        "num_eigenpairs": (settings.num_eigenpairs, 1),
        "num_batches": (settings.num_batches, 1),
        "num_products": (settings.num_products, 4),
        "steps_per_epoch": (1 if steps_per_epoch is None else steps_per_epoch, 1),
    }
    for name, (count, least) in counts.items():
        if count < least:
            raise ValueError(f"{name} {count} must be at least {least}")
    if not 0 < settings.tolerance < 1:
        raise ValueError(f"tolerance {settings.tolerance} must lie between 0 and 1")
    if "critical" in settings.quantities and optimizer is None:
        raise ValueError("critical needs the optimizer, to compute its next step; pass optimizer, or omit critical")
    if "preconditioned" in settings.quantities and not can_precondition(optimizer):
        kind = "no optimizer" if optimizer is None else type(optimizer).__name__
        raise ValueError(f"preconditioned needs Adam, AdamW or RMSprop, got {kind}; omit preconditioned")


def once_each() -> Callable[[str], None]:
    """A function that issues each warning once."""
    issued: set[str] = set()

    def say(message: str) -> None:
        if message not in issued:
            issued.add(message)
            warnings.warn(message, WatchWarning, stacklevel=_users_level())

    return say


def _users_level() -> int:
    """The stack level of the nearest caller outside this package, as ``warnings.warn`` counts levels."""
    return next(level for level, caller in enumerate(inspect.stack(0)[1:], start=1) if not _is_ours(caller.frame))


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(__package__)


def weighed(batches: list[Any], weights: Sequence[int] | None, say: Callable[[str], None]) -> list[tuple[Any, range]]:
    """Each batch with its weight: a range as long as its number of examples."""
    if weights is not None and (len(weights) != len(batches) or min(weights) < 1):
        raise ValueError(
            f"weights {list(weights)} must hold a number of at least 1 for each of the {len(batches)} batches"
        )
    counts = weights_of(batches) if weights is None else weights
    if counts is None:
        counts = [1] * len(batches)
        if len(batches) > 1:
            say("the batches of the probe have unknown numbers of examples and get equal weights; pass weights")
    return [(batch, range(count)) for batch, count in zip(batches, counts, strict=True)]


def try_out(subject: Subject) -> None:
    """Refuse a loss whose curvature cannot be measured, and say what is not measured."""
    batch, model = subject.probe[0][0], bare(subject.model)
    refuse_sharded(model)
    function = subject.function()
    function.check_function(model, batch)
    say_parts(subject)
    if function.uses_fused_attention(batch):
        subject.say("attention is measured with the math kernel, because the fused kernel has no second derivative")


def say_parts(subject: Subject) -> None:
    """Warn if the optimizer updates only a part of the model's parameters, or others as well."""
    if subject.optimizer is None:
        return
    updated = [value for group in subject.optimizer.param_groups for value in group["params"] if value.requires_grad]
    measured, trainable = _count(subject.parameters), _count(trained(bare(subject.model), None))
    if measured < trainable:
        subject.say(
            f"the optimizer updates {measured} of the model's {trainable} trainable parameters; the Hessian is that of "
            f"these {measured}"
        )
    if others := _count(updated) - measured:
        subject.say(
            f"the optimizer also updates {others} parameters outside of the model, which are constants in the Hessian"
        )


def _count(parameters: Sequence[nn.Parameter]) -> int:
    return sum(value.numel() for value in parameters)


def kept_file(path: str | Path, subject: Subject, name: str, steps_per_epoch: int | None, start: int) -> Kept:
    """The file of a monitor, with its attributes."""
    settings, count = subject.settings, sum(len(examples) for _, examples in subject.probe)
    p = _count(subject.parameters)
    sizes = {
        "spectra": {"k": min(settings.wanted, p), "p": p},
        "preconditioned": {"k": 1},
        "gradient_sample": dict.fromkeys("mn", settings.num_batches),
        "critical": {"m": 1},
    }
    optimizer = subject.optimizer
    groups = [] if optimizer is None else optimizer.param_groups
    attributes = {
        **provenance(),
        "run": name,
        "schedule": "watch",
        "lr": float(groups[0]["lr"]) if groups else 0.0,
        "mode": settings.mode,
        "settings": asdict(settings),
        "hessian": {"examples": count, "tolerance": settings.tolerance},
        "config": {"run": {"run": name, "optimizer": type(optimizer).__name__.lower(), **_decays(groups)}},
        "diverged_epoch": None,
        "replays_checked": 0,
        "replay_drift": 0.0,
        "scale": "",
        "made_from": {},
    }
    layouts = {QUANTITIES[quantity].layout.name: QUANTITIES[quantity].layout for quantity in settings.quantities}
    return Kept(path, list(layouts.values()), sizes, attributes, steps_per_epoch, start)


def _decays(groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The optimizer's settings besides the learning rate on which its edge depends."""
    if not groups:
        return {}
    settings: dict[str, Any] = {
        name: groups[0][name] for name in ("momentum", "nesterov", "weight_decay") if name in groups[0]
    }
    return {**settings, "beta1": groups[0]["betas"][0] if "betas" in groups[0] else 0.0}
