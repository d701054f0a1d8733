"""Variants of a run, by their names in run ids: of its step (Fig. 7), or of a setting (interventions)."""

from __future__ import annotations

import re
from typing import Any

from sharpest.config.run import RunSettings
from sharpest.config.run_id import NUMBER, intervention
from sharpest.errors import ConfigError

# scale along the top directions, scale of the rest, and whether the directions of the start are kept
_STEPS: dict[str, dict[str, Any]] = {
    "sgd": {"gamma": 1.0},
    "top": {"gamma": 1.0, "rest": 0.0},
    "ctop": {"gamma": 1.0, "rest": 0.0, "fixed": True},
    "notop": {"gamma": 0.0},
}


def scales_of_step(name: str) -> dict[str, Any]:
    """The scales of a variant of the step, and the number of top directions that they apply to.

    ``x<number>`` scales the step along these directions; ``_STEPS`` lists the other names. A suffix ``K<k>`` gives the
    number of directions.

    Raises:
        ConfigError: If there is no such variant.
    """
    step, _, count = name.partition("K")
    directions = {"num_directions": int(count or 1)}
    if count and int(count) == 0:
        raise ConfigError(f"variant {name!r} scales no direction; write K<k> with k of at least 1")
    if step in _STEPS and not (step == "sgd" and count):
        return _STEPS[step] | directions
    if re.fullmatch(rf"x{NUMBER}", step) and float(step[1:]) not in (0, 1):
        return {"gamma": float(step[1:])} | directions
    known = {"x0": "notop", "x1": "sgd", "sgd": "sgd"}.get(step)
    if known:
        known += f"K{count}" if count and known != "sgd" else ""
    names = f"known: {', '.join(_STEPS)}, x<number>, each but sgd with K<k>, and lr<f>, S<f>, m<m>"
    raise ConfigError(f"unknown variant {name!r}; {f'write it as {known!r}' if known else names}")


def intervened(run: RunSettings, variant: str) -> RunSettings:
    """The settings of a run under a variant: ``lr<f>`` and ``S<f>`` multiply, ``m<m>`` sets, ``sgd`` changes nothing.

    Args:
        run: The run.
        variant: Name of the variant.

    Raises:
        ConfigError: If the variant is not one of these, changes nothing, or does not suit the run; in one line.
    """
    where = f"run {run.run}: variant {variant!r}"
    if run.nudge is not None:
        raise ConfigError(f"{where}: settings cannot change in a run whose step is scaled; name a run without nudge")
    if variant == "sgd" and not run.is_adaptive:
        return run
    change = intervention(variant)
    if change is None:
        raise ConfigError(f"{where} is not one of lr<f>, S<f>, m<m>{'' if run.is_adaptive else ' and sgd'}")
    kind, number = change
    changes = {"lr": _rate, "S": _batch_size, "m": _momentum}[kind](run, number, where)
    if all(getattr(run, key) == value for key, value in changes.items()):
        raise ConfigError(f"{where} changes nothing; name another number")
    return run.model_copy(update=changes)


def lr_factor(variant: str) -> float:
    """The factor by which a variant multiplies the learning rate."""
    kind, number = intervention(variant) or ("", 1.0)
    return number if kind == "lr" else 1.0


def scaled_rate(lr: float, factor: float) -> float:
    """A learning rate times a factor, rounded to twelve digits, so that 0.1 * 3 is not 0.30000000000000004."""
    return float(f"{lr * factor:.12g}")


def _rate(run: RunSettings, factor: float, where: str) -> dict[str, Any]:
    if factor <= 0:
        raise ConfigError(f"{where}: the learning rate must stay above 0")
    return {"lr": scaled_rate(run.lr, factor)}


def _batch_size(run: RunSettings, factor: float, where: str) -> dict[str, Any]:
    size = round(run.batch_size * factor)
    if run.full_batch or run.dataset.kind == "tokens":
        what = "a full batch" if run.full_batch else "a text in parallel streams"
        raise ConfigError(f"{where}: the batch size of {what} is fixed; change lr or m")
    if not 1 <= size <= run.dataset.num_train:
        raise ConfigError(
            f"{where}: batch size {run.batch_size} times {factor:g} is {run.batch_size * factor:g}, outside of 1 to "
            f"{run.dataset.num_train} training examples"
        )
    return {"batch_size": size}


def _momentum(run: RunSettings, momentum: float, where: str) -> dict[str, Any]:
    if run.is_adaptive:
        raise ConfigError(f"{where}: momentum belongs to SGD; {run.optimizer} takes lr<f> and S<f>")
    if momentum >= 1:
        raise ConfigError(f"{where}: momentum must be below 1")
    return {"momentum": momentum, "nesterov": run.nesterov and momentum > 0}
