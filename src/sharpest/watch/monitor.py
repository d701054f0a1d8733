"""The monitor of a training loop, and the values that it reads."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

from sharpest.errors import StoreError
from sharpest.watch.beginning import Schedule, check_settings, kept_file, once_each, say_parts, try_out, weighed
from sharpest.watch.moment import Moment, Settings, Subject, Updates
from sharpest.watch.nets import Loss, MiniBatches, as_probe, bare, bare_optimizer, trained
from sharpest.watch.quantities import QUANTITIES, Taken
from sharpest.watch.undisturbed import undisturbed, where_it_is_called


class Reading(dict[str, float]):
    """Plain numbers by name, in a form that any logger accepts; printed as one readable line.

    For each quantity, such as ``lambda_max``: the value, and ``lambda_max_error``, ``_over_edge``, ``_products`` and
    ``_seconds``. Also ``lr``, ``edge``, ``finite`` (0 if the loss is not finite) and the total ``seconds``.

    >>> print(Reading(lambda_max=12.0, lambda_max_error=0.01, lambda_max_over_edge=0.6, finite=1.0, seconds=0.25))
    lambda_max 12 +- 0.01 = 0.600 of the edge; 0.25 s
    """

    @property
    def quantities(self) -> list[str]:
        """Names of the measured quantities."""
        return [name.removesuffix("_over_edge") for name in self if name.endswith("_over_edge")]

    def __str__(self) -> str:
        parts = [self._text(name) for name in self.quantities]
        if not self["finite"]:
            parts = ["the loss is not finite"]
        if self.get("lr") == 0:
            parts.append("lr 0, no edge")
        return "; ".join([*parts, f"{self['seconds']:.2f} s"])

    def _text(self, name: str) -> str:
        share = self[f"{name}_over_edge"]
        error = self[f"{name}_error"]
        interval = "" if math.isnan(error) else f" +- {error:.1g}"
        edge = "" if math.isnan(share) else f" = {share:.3f} of the edge"
        return f"{name} {self.get(name, math.nan):.4g}{interval}{edge}"


class Monitor:
    """Watches the curvature of a loss while a net trains: call ``step`` after each update of the optimizer.

    The initial state is measured at once, unless ``at`` excludes it. A monitor does not change a bit of training. If it
    writes a file, use it as a context manager or call ``close`` at the end.

    Args:
        model: The net. Wrappers for compilation or distribution are removed for measuring.
        loss: ``loss(model, batch)``, the mean over the batch; it must use the model that it is passed.
        probe: Batches of any kind. The measured loss is the mean over them, weighted by their numbers of examples.
        optimizer: Its class and current settings determine the edge; None = no edge.
        every: Steps between measurements; 100 by default.
        at: Steps to measure at, instead of ``every``.
        budget: Largest share of training time to spend, such as 0.1; measures less often than ``every`` if necessary.
        quantities: One or more of ``lambda_max``, ``eigenvalues``, ``trace``, ``batch_sharpness``, ``critical`` and
            ``preconditioned``.
        batches: A separate loader of mini-batches for ``batch_sharpness``; by default the batches of the probe.
        log: Called as ``log(step, numbers)`` after each measurement.
        path: A file to write, in the layouts of measures; an existing one goes on if ``start`` is above 0.
        mode: Whether to measure nets in their current mode or in inference mode.
        weights: Number of examples in each batch of the probe; by default the first dimension of its tensors.
        num_eigenpairs: Number of ``eigenvalues``, those of largest magnitude.
        num_batches: Mini-batches for ``batch_sharpness``.
        num_products: Hessian-vector products for ``trace``, at least 4.
        tolerance: Largest residual of an eigenpair, relative to the largest magnitude of an eigenvalue.
        seed: Seed of the random vectors.
        start: Updates completed before the monitor starts.
        name: Name of the run in the file.
        steps_per_epoch: To compute the epochs in the file.

    Attributes:
        last: The latest measurement; None before the first.

    Raises:
        ValueError: If an argument is out of range, or does not fit the others.
        NotDeterministicError: If the loss takes different values at the same parameters; names layer and remedy.
        NotTwiceDifferentiableError: If an operation has no second derivative.

    Source: docs/watch.md.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        probe: Iterable[Any],
        optimizer: Optimizer | None = None,
        *,
        every: int | None = None,
        at: Collection[int] | None = None,
        budget: float | None = None,
        quantities: str | Sequence[str] = ("lambda_max",),
        batches: Iterable[Any] | None = None,
        log: Callable[[int, dict[str, float]], object] | None = None,
        path: str | Path | None = None,
        mode: Literal["current", "inference"] = "current",
        weights: Sequence[int] | None = None,
        num_eigenpairs: int = 5,
        num_batches: int = 8,
        num_products: int = 30,
        tolerance: float = 1e-3,
        seed: int = 0,
        start: int = 0,
        name: str = "watch",
        steps_per_epoch: int | None = None,
    ) -> None:
        names = (quantities,) if isinstance(quantities, str) else tuple(quantities)
        settings = Settings(names, mode, num_eigenpairs, num_batches, num_products, tolerance, seed)
        optimizer = bare_optimizer(optimizer)
        check_settings(settings, optimizer, steps_per_epoch)
        self._schedule = Schedule(every, at, budget)
        parameters, say, function = trained(bare(model), optimizer), once_each(), where_it_is_called(loss)
        with undisturbed(parameters[0].device, settings.inference):
            batches_of_probe = weighed(as_probe(probe), weights, say)
            source = None if batches is None else MiniBatches(batches)
            self._subject = Subject(model, function, optimizer, batches_of_probe, source, settings, say)
            try_out(self._subject)
        self._kept = None if path is None else kept_file(path, self._subject, name, steps_per_epoch, start)
        self._updates = Updates(optimizer)
        self._log, self._step, self._readings = log, start, list[tuple[int, Reading]]()
        self.last: Reading | None = None
        if at is None or start in at:
            self.measure()

    @property
    def optimizer(self) -> Optimizer | None:
        """The watched optimizer. Set it if another optimizer takes over the training.

        Raises:
            ValueError: If the new one does not train the model, or does not fit the quantities.
        """
        return self._subject.optimizer

    @optimizer.setter
    def optimizer(self, optimizer: Optimizer | None) -> None:
        optimizer = bare_optimizer(optimizer)
        check_settings(self._subject.settings, optimizer, None)
        trained(bare(self._subject.model), optimizer)
        self._updates.close()
        self._subject = dataclasses.replace(self._subject, optimizer=optimizer)
        self._updates = Updates(optimizer)
        say_parts(self._subject)

    @property
    def num_steps(self) -> int:
        """Completed updates."""
        return self._step

    def step(self, batch: Any = None, updates: int = 1) -> Reading | None:
        """Count an update and measure if one is due; call it after each update of the optimizer.

        Args:
            batch: Batch of the update; ``critical`` uses the step for this batch instead of the step for the probe.
            updates: Number of updates since the last call; a measurement that was due within them is made now.

        Returns:
            The measurement, if one was due; else None.

        Raises:
            NotDeterministicError: If the loss has become non-deterministic, e.g. because the mode of the net changed.
        """
        self._updates.step(updates)
        self._step += updates
        due = [step for step in range(self._step - updates + 1, self._step + 1) if self._schedule.due(step)]
        return self.measure(batch) if due else None

    def measure(self, batch: Any = None) -> Reading:
        """Measure now, regardless of the schedule."""
        began = time.perf_counter()
        device = self._subject.parameters[0].device
        with undisturbed(device, self._subject.settings.inference):
            moment = Moment(self._subject, self._step, self._updates, batch)
            taken, reading = self._taken(moment)
        self._keep(taken, bool(reading["finite"]))
        reading["seconds"] = time.perf_counter() - began
        self._schedule.spent(reading["seconds"])
        self._readings.append((self._step, reading))
        self.last = reading
        if self._log is not None:
            self._log(self._step, reading)
        return reading

    def _taken(self, moment: Moment) -> tuple[dict[str, Taken], Reading]:
        """Measure each quantity; values are NaN if the loss is not finite."""
        reading = Reading(lr=moment.edges.lr, edge=moment.edges.hessian, finite=float(moment.finite))
        all_taken = {}
        for name in self._subject.settings.quantities:
            began = time.perf_counter()
            taken = all_taken[name] = QUANTITIES[name].measure(moment) if moment.finite else Taken()
            reading[name] = taken.value
            reading[f"{name}_error"], reading[f"{name}_over_edge"] = taken.error, taken.over_edge
            reading[f"{name}_products"] = float(taken.products)
            reading[f"{name}_seconds"] = time.perf_counter() - began
            reading.update({f"{name}_{more}": value for more, value in taken.more.items()})
        if not moment.finite:
            self._subject.say("the loss is not finite: NaN is recorded and training continues")
        return all_taken, reading

    def _keep(self, taken: Mapping[str, Taken], finite: bool) -> None:
        if self._kept is None:
            return
        arrays: dict[str, dict[str, Any]] = {}
        for name, quantity in taken.items():
            arrays.setdefault(QUANTITIES[name].layout.name, {}).update(quantity.arrays)
        try:
            self._kept.add(self._step, arrays, finite)
        except StoreError as error:  # a warning only, because training matters more than its measurements
            self._subject.say(str(error))

    @property
    def values(self) -> dict[str, NDArray[np.float64]]:
        """Name -> (t,): ``step`` and all numbers of the measurements so far; NaN where a number is missing."""
        names = dict.fromkeys(name for _, reading in self._readings for name in reading)
        columns = {
            name: np.array([reading.get(name, np.nan) for _, reading in self._readings], dtype=np.float64)
            for name in names
        }
        return {"step": np.array([step for step, _ in self._readings], dtype=np.float64), **columns}

    def close(self) -> None:
        """Release the file, which is complete, and the optimizer; the numbers remain available."""
        self._updates.close()
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
