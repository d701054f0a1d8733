"""The id of a run: what is trained, on which data, how (inventory 4.1).

``<model>-<data>-<opt>-lr<eta>-S<S>[-m<m>][-g<gamma>-K<K>][-l2_<v>][-<rule>]-s<seed>``
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from sharpest.errors import ConfigError

_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_COUNT = r"\d{1,18}"
_PATTERN = re.compile(
    rf"(?P<model>[A-Za-z0-9]+)-(?P<data>[a-z0-9]+)-(?P<optimizer>sgd|nsgd)-lr(?P<lr>{_NUMBER})-S(?P<batch_size>{_COUNT})"
    rf"(?:-m(?P<momentum>{_NUMBER}))?(?:-g(?P<gamma>{_NUMBER})-K(?P<num_directions>{_COUNT}))?"
    rf"(?:-l2_(?P<l2>{_NUMBER}))?(?:-(?P<rule>plat))?-s(?P<seed>{_COUNT})"
)


@dataclass(frozen=True)
class RunId:
    """The parts of a run id. ``gamma`` and ``num_directions`` belong to NSGD and are 1 and 0 for SGD."""

    model: str
    data: str
    optimizer: str
    lr: float
    batch_size: int
    momentum: float = 0.0
    gamma: float = 1.0
    num_directions: int = 0
    l2: float = 0.0
    rule: str = "const"
    seed: int = 777

    @classmethod
    def parse(cls, text: str) -> "RunId":
        """Read an id.

        Raises:
            ConfigError: If ``text`` is not an id, holds a value out of range, or is not the one spelling of its values.

        Source: inventory 4.1.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ConfigError(
                f"run {text!r} is not a run id; write <model>-<data>-<sgd|nsgd>-lr<eta>-S<S>[-m<m>]"
                "[-g<gamma>-K<K>][-l2_<v>][-plat]-s<seed>, e.g. scnn-c10-sgd-lr0.1-S128-s777"
            )
        parts: dict[str, Any] = {name: value for name, value in match.groupdict().items() if value is not None}
        parts |= {name: float(parts[name]) for name in ("lr", "momentum", "gamma", "l2") if name in parts}
        parts |= {name: int(parts[name]) for name in ("batch_size", "num_directions", "seed") if name in parts}
        run = cls(**parts)
        # within these bounds a number is finite and has one spelling that can be read back
        if not (0 < run.lr < 1e6 and run.batch_size > 0 and run.momentum < 1 and run.gamma < 1e6 and run.l2 < 1e6):
            raise ConfigError(f"run {text!r}: lr and S must be above 0, m below 1, and lr, g and l2 below 1e6")
        if (run.optimizer == "nsgd") != (run.num_directions > 0):
            raise ConfigError(f"run {text!r}: nsgd needs -g<gamma>-K<K> with K of at least 1, and sgd takes neither")
        if run.optimizer == "nsgd" and run.gamma == 1:
            sgd = str(replace(run, optimizer="sgd", gamma=1.0, num_directions=0))
            raise ConfigError(f"run {text!r}: gamma 1 is SGD and is stored once; write it as {sgd!r}")
        if str(run) != text:
            raise ConfigError(f"run {text!r}: write it as {str(run)!r}, so that each run has one id")
        return run

    def __str__(self) -> str:
        parts = [self.model, self.data, self.optimizer, f"lr{self.lr:g}", f"S{self.batch_size}"]
        if self.momentum:
            parts.append(f"m{self.momentum:g}")
        if self.num_directions:
            parts += [f"g{self.gamma:g}", f"K{self.num_directions}"]
        if self.l2:
            mantissa, exponent = f"{self.l2:e}".split("e")
            parts.append(f"l2_{float(mantissa):g}e{int(exponent)}")
        if self.rule != "const":
            parts.append(self.rule)
        return "-".join([*parts, f"s{self.seed}"])
