"""What a user gives to watch, checked before training begins."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from torch.optim import Optimizer

from sharpest.watch.batches import weights_of
from sharpest.watch.kept import Kept, provenance
from sharpest.watch.moment import Settings, Subject
from sharpest.watch.nets import BatchLoss, bare, trainable
from sharpest.watch.optimizers import can_precondition
from sharpest.watch.quantities import QUANTITIES


class WatchWarning(UserWarning):
    """What a monitor has to say, once each."""


def check_settings(settings: Settings, optimizer: Optimizer | None, steps_per_epoch: int | None) -> None:
    """Refuse what is out of range."""
    if not settings.quantities or (unknown := [name for name in settings.quantities if name not in QUANTITIES]):
        found = ", ".join(map(repr, unknown)) if settings.quantities else "empty"
        raise ValueError(f"quantities: {found} is none of {', '.join(QUANTITIES)}")
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
        raise ValueError("critical needs the optimizer, whose next step it follows; give optimizer, or leave it out")
    if "preconditioned" in settings.quantities and not can_precondition(optimizer):
        kind = "there is none" if optimizer is None else f"this is {type(optimizer).__name__}"
        raise ValueError(f"preconditioned needs an optimizer that is Adam, AdamW or RMSprop; {kind}; leave it out")


def once_each() -> Callable[[str], None]:
    """A voice that says each thing once."""
    said: set[str] = set()

    def say(message: str) -> None:
        if message not in said:
            said.add(message)
            warnings.warn(message, WatchWarning, stacklevel=_users_level())

    return say


def _users_level() -> int:
    """How far up the first line of code lies that is not of this package, seen from where it is warned."""
    return next(level for level, caller in enumerate(inspect.stack(0)[1:], start=1) if not _is_ours(caller.frame))


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(__package__)


def weighed(batches: list[Any], weights: Sequence[int] | None, say: Callable[[str], None]) -> list[tuple[Any, range]]:
    """Each batch with as many numbers as it has examples."""
    if weights is not None and (len(weights) != len(batches) or min(weights) < 1):
        raise ValueError(
            f"weights {list(weights)} must be a number of at least 1 for each of the {len(batches)} batches"
        )
    counts = weights_of(batches) if weights is None else weights
    if counts is None:
        counts = [1] * len(batches)
        if len(batches) > 1:
            say("the batches of the probe do not tell how many examples they have, and weigh the same; give weights")
    return [(batch, range(count)) for batch, count in zip(batches, counts, strict=True)]


def try_out(subject: Subject) -> None:
    """Refuse a loss that cannot be measured, before training begins."""
    batch = subject.probe[0][0]
    function = BatchLoss(bare(subject.model), subject.loss, subject.settings.inference)
    function.check_function(batch)
    if function.uses_fused_attention(batch):
        subject.say("attention is measured with the math kernel; the fused one of training has no second derivative")


def kept_file(path: str | Path, subject: Subject, name: str, steps_per_epoch: int | None) -> Kept:
    settings, count = subject.settings, sum(len(examples) for _, examples in subject.probe)
    p = sum(value.numel() for value in trainable(bare(subject.model)))
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
    return Kept(path, list(layouts.values()), sizes, attributes, steps_per_epoch)


def _decays(groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the edge depends on beside the learning rate, of optimizers that have it."""
    if not groups:
        return {}
    known: dict[str, Any] = {
        name: groups[0][name] for name in ("momentum", "nesterov", "weight_decay") if name in groups[0]
    }
    return {**known, "beta1": groups[0]["betas"][0] if "betas" in groups[0] else 0.0}
