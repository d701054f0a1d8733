"""The id of a run: what is trained, on which data, how (inventory 4.1); the names of variants in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from sharpest.errors import ConfigError

NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
PATTERN = rf"(?:lr|S|m){NUMBER}|(?:[a-z]+|x{NUMBER})(?:K\d{{1,18}})?"
"""Pattern of all names that may be variants."""

_PARTS = re.compile(
    rf"(?P<kind>lr|S|m|x)(?P<number>{NUMBER})(?:K(?P<x_count>\d+))?|(?P<word>[a-z]+)(?:K(?P<count>\d+))?"
)


def spelled(name: str) -> str:
    """The canonical spelling of a name that fits ``PATTERN``: no trailing zeros, no K for a single direction."""
    parts = _PARTS.fullmatch(name)
    assert parts is not None  # ensured by the caller
    if parts["kind"] is None:
        return parts["word"] + _counted(parts["count"])
    return f"{parts['kind']}{float(parts['number']):g}{_counted(parts['x_count'])}"


def number_of(name: str) -> float:
    """The number in the name of a variant; 0 if it has none."""
    parts = _PARTS.fullmatch(name)
    return float(parts["number"]) if parts and parts["number"] else 0.0


def intervention(name: str) -> tuple[str, float] | None:
    """The setting that a variant changes, ``lr``, ``S`` or ``m``, and its number; None for a variant of the step."""
    parts = _PARTS.fullmatch(name)
    return (parts["kind"], float(parts["number"])) if parts and parts["kind"] in ("lr", "S", "m") else None


def _counted(count: str | None) -> str:
    return "" if count is None or int(count) == 1 else f"K{int(count)}"


_COUNT = r"\d{1,18}"
_PATTERN = re.compile(
    rf"(?P<model>[A-Za-z0-9]+)-(?P<data>[a-z0-9]+)-(?P<optimizer>sgd|nsgd|adamw?|rmsprop)"
    rf"-lr(?P<lr>{NUMBER})-S(?P<batch_size>{_COUNT})"
    rf"(?:-m(?P<momentum>{NUMBER}))?(?P<nesterov>-nesterov)?"
    rf"(?:-b1_(?P<beta1>{NUMBER}))?(?:-b2_(?P<beta2>{NUMBER}))?(?:-wd_(?P<weight_decay>{NUMBER}))?"
    rf"(?:-g(?P<gamma>{NUMBER})-K(?P<num_directions>{_COUNT})"
    rf"(?:-correct_(?P<correction>g|both))?)?"
    rf"(?:-l2_(?P<l2>{NUMBER}))?(?:-n(?P<subset>{_COUNT}))?(?:-L(?P<first_stage>{_COUNT}))?"
    rf"(?P<loss>-mse)?(?:-(?P<rule>plat|fb))?-s(?P<seed>{_COUNT})"
    rf"(?:@e(?P<branch_epoch>{_COUNT})/(?P<variant>{PATTERN}))?"
)
_FLOATS = ("lr", "momentum", "beta1", "beta2", "weight_decay", "gamma", "l2")
_COUNTS = ("batch_size", "num_directions", "subset", "first_stage", "branch_epoch", "seed")

_ADAM = {"beta1": 0.9, "beta2": 0.999}
DECAYS: dict[str, dict[str, float]] = {"adam": _ADAM, "adamw": _ADAM, "rmsprop": {"beta2": 0.99}}
"""Default decay rates of moments, by optimizer."""

FIRST_NEW_SEED = 1001
"""The first seed that the paper does not use. Any run may have seeds from here on; no setting was chosen on them."""

GRAMMAR = (
    "<model>-<data>-<sgd|nsgd|adam|adamw|rmsprop>-lr<eta>-S<S>[-m<m>[-nesterov]][-b1_<b>][-b2_<b>][-wd_<c>]"
    "[-g<gamma>-K<K>[-correct_g|-correct_both]][-l2_<v>][-n<subset>][-L<epochs>][-mse][-plat|-fb]-s<seed>[@e<epoch>/<variant>]"
)


@dataclass(frozen=True)
class RunId:
    """The parts of a run id.

    ``gamma``, ``num_directions`` and ``correction`` (inventory 1.6) belong to NSGD and are 1, 0 and v for SGD.
    ``nesterov`` is a form of momentum and requires it. ``beta1``, ``beta2`` and ``weight_decay`` are 0 if the
    optimizer has none.
    ``subset`` is the number of images of a full-batch run (rule ``fb``). A run with ``first_stage`` L or a ``variant``
    is a branch: it leaves its parent at the end of that epoch.
    """

    model: str
    data: str
    optimizer: str
    lr: float
    batch_size: int
    momentum: float = 0.0
    gamma: float = 1.0
    num_directions: int = 0
    correction: Literal["v", "g", "both"] = "v"
    nesterov: bool = False
    beta1: float = 0.0
    beta2: float = 0.0
    weight_decay: float = 0.0
    l2: float = 0.0
    subset: int = 0
    first_stage: int = 0
    loss: Literal["cross_entropy", "squared"] = "cross_entropy"
    rule: str = "const"
    seed: int = 777
    branch_epoch: int = 0
    variant: str = ""

    @classmethod
    @cache
    def parse(cls, text: str) -> RunId:
        """Read an id.

        Raises:
            ConfigError: If ``text`` is not an id, holds a value out of range, or is not in the canonical spelling.

        Source: inventory 4.1.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ConfigError(f"run {text!r} is not a run id; write {GRAMMAR}, e.g. scnn-c10-sgd-lr0.1-S128-s777")
        parts: dict[str, Any] = {name: value for name, value in match.groupdict().items() if value is not None}
        parts |= {name: float(parts[name]) for name in _FLOATS if name in parts}
        parts |= {name: int(parts[name]) for name in _COUNTS if name in parts}
        parts |= {name: value for name, value in (("nesterov", True), ("loss", "squared")) if name in parts}
        run = cls(**DECAYS.get(parts["optimizer"], {}) | parts)
        _check_optimizer(run, text, parts)
        _check_parts(run, text)
        if run.variant:
            if number_of(run.variant) >= 1e6:
                raise ConfigError(f"run {text!r}: the number of a variant must be below 1e6")
            run = replace(run, variant=spelled(run.variant))
        if run.variant and run.optimizer == "nsgd":
            raise ConfigError(f"run {text!r}: variants are branches of SGD runs; name an sgd run before the @")
        if str(run) != text:
            raise ConfigError(f"run {text!r}: write it as {str(run)!r}, so that each run has one id")
        return run

    @property
    def is_adaptive(self) -> bool:
        """Whether its optimizer has decay rates of moments."""
        return self.optimizer in DECAYS

    def of_seed(self, seed: int) -> RunId:
        """The same run with another seed."""
        return replace(self, seed=seed)

    @property
    def parent(self) -> str | None:
        """Id of the run that this one branches off; None if it starts from the initial weights."""
        if self.variant:
            return str(replace(self, branch_epoch=0, variant=""))
        return str(replace(self, first_stage=0)) if self.first_stage else None

    def __str__(self) -> str:
        parts = [self.model, self.data, self.optimizer, f"lr{self.lr:g}", f"S{self.batch_size}"]
        if self.momentum:
            parts.append(f"m{self.momentum:g}")
        if self.nesterov:
            parts.append("nesterov")
        for key, name in (("beta1", "b1"), ("beta2", "b2")):
            if (value := getattr(self, key)) != DECAYS.get(self.optimizer, {}).get(key, 0.0):
                parts.append(f"{name}_{value:g}")
        if self.weight_decay:
            parts.append(f"wd_{self.weight_decay:g}")
        if self.num_directions:
            parts += [f"g{self.gamma:g}", f"K{self.num_directions}"]
        if self.correction != "v":
            parts.append(f"correct_{self.correction}")
        if self.l2:
            mantissa, exponent = f"{self.l2:e}".split("e")
            parts.append(f"l2_{float(mantissa):g}e{int(exponent)}")
        if self.subset:
            parts.append(f"n{self.subset}")
        if self.first_stage:
            parts.append(f"L{self.first_stage}")
        if self.loss == "squared":
            parts.append("mse")
        if self.rule != "const":
            parts.append(self.rule)
        text = "-".join([*parts, f"s{self.seed}"])
        return f"{text}@e{self.branch_epoch}/{self.variant}" if self.variant else text


def _check_parts(run: RunId, text: str) -> None:
    """Check ranges, and that the parts of an id agree with each other.

    Raises:
        ConfigError: For the first mistake.
    """
    # within these bounds a number is finite and has one spelling that can be read back
    if not (0 < run.lr < 1e6 and run.batch_size > 0 and run.momentum < 1 and run.gamma < 1e6 and run.l2 < 1e6):
        raise ConfigError(f"run {text!r}: lr and S must be above 0, m below 1, and lr, g and l2 below 1e6")
    if run.nesterov and not run.momentum:
        raise ConfigError(f"run {text!r}: nesterov is a form of momentum; write -m<m>-nesterov with m above 0")
    if (run.optimizer == "nsgd") != (run.num_directions > 0):
        raise ConfigError(f"run {text!r}: nsgd needs -g<gamma>-K<K> with K of at least 1, and sgd takes neither")
    if run.optimizer == "nsgd" and run.gamma == 1:
        sgd = str(replace(run, optimizer="sgd", gamma=1.0, num_directions=0, correction="v"))
        raise ConfigError(f"run {text!r}: gamma 1 is SGD and is stored once; write it as {sgd!r}")
    if run.correction != "v" and not run.momentum:
        raise ConfigError(f"run {text!r}: without momentum correct_g is correct_v, and correct_both is gamma squared")
    if (run.rule == "fb") != (run.subset > 0) or (run.subset and run.subset != run.batch_size):
        raise ConfigError(f"run {text!r}: a full-batch run has the size of its subset as S: -S<n>...-n<n>-fb")


def _check_optimizer(run: RunId, text: str, parts: dict[str, Any]) -> None:
    """Check that an id has the parts of its optimizer, and none of another optimizer.

    Raises:
        ConfigError: For the first part that is missing, belongs to another optimizer, or is out of range.
    """
    known = DECAYS.get(run.optimizer, {})
    for key, name in (("beta1", "b1"), ("beta2", "b2")):
        if key in parts and key not in known:
            takers = " and ".join(other for other, decays in DECAYS.items() if key in decays)
            raise ConfigError(f"run {text!r}: {name} is a decay rate of {takers}; {run.optimizer} has none")
    if not (run.beta1 < 1 and run.beta2 < 1 and run.weight_decay < 1e6):
        raise ConfigError(f"run {text!r}: b1 and b2 must be below 1, and wd below 1e6")
    if (run.optimizer == "adamw") != (run.weight_decay > 0):
        raise ConfigError(
            f"run {text!r}: adamw needs -wd_<c> above 0, and no other optimizer takes it; l2 is in the loss"
        )
    if known and (run.momentum or run.nesterov or run.num_directions):
        raise ConfigError(
            f"run {text!r}: m, nesterov, g and K belong to sgd and nsgd; remove them, or name one of these"
        )
    if known and run.variant and run.variant[:2] != "lr" and run.variant[:1] != "S":
        raise ConfigError(
            f"run {text!r}: variant {run.variant!r} is for SGD runs; for {run.optimizer} write lr<f> or S<f>"
        )


@cache
def without_seed(run: str) -> RunId:
    """The id without its seed, which is equal for runs that differ only in the seed."""
    return RunId.parse(run).of_seed(0)
