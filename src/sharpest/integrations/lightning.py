"""A monitor for Lightning's Trainer."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.optim import Optimizer

import sharpest
from sharpest.watch.moment import Updates
from sharpest.watch.monitor import Monitor
from sharpest.watch.nets import Loss, as_probe, placed
from sharpest.watch.undisturbed import undisturbed


class WatchCallback(Callback):  # type: ignore[misc]
    """Watches the curvature of a loss while Lightning trains; runs in the first process and uses Lightning's loggers.

    Steps are the updates of the watched optimizer. If the same callback is used in a second fit, or a fit resumes from
    a checkpoint, they go on, also in the file.

    Args:
        loss: ``loss(module, batch)``, the mean over the batch; it must use the module that it is passed.
        probe: As in ``sharpest.watch.monitor.Monitor``; it is moved to the device and dtype of the module.
        optimizer: Number of the watched optimizer among the trainer's, or a function that returns it from the trainer;
            it may be omitted if there is only one.
        module: Path of the watched part of the LightningModule, such as ``"net.head"``, or a function that returns it;
            None = all of it.
        prefix: The numbers are logged as ``prefix/name``; callbacks of one trainer need different ones.
        options: Further arguments of ``Monitor``.

    Attributes:
        monitor: The monitor of the latest fit; None before the first.
    """

    def __init__(
        self,
        loss: Loss,
        probe: Iterable[Any],
        *,
        optimizer: int | Callable[[Trainer], Optimizer] | None = None,
        module: str | Callable[[LightningModule], nn.Module] | None = None,
        prefix: str = "curvature",
        **options: Any,
    ) -> None:
        with undisturbed(torch.device("cpu")):  # a loader as the probe draws random numbers
            self._probe = as_probe(probe)
        self._loss, self._optimizer, self._module, self._prefix = loss, optimizer, module, prefix
        self._options = options
        self._steps: int | None = None
        self.monitor: Monitor | None = None

    @property
    def state_key(self) -> str:
        """Tells the callbacks of one trainer apart in checkpoints."""
        return f"{type(self).__qualname__}:{self._prefix}"

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._steps = state_dict["steps"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        def log(step: int, numbers: dict[str, float]) -> None:
            for logger in trainer.loggers:
                logger.log_metrics({f"{self._prefix}/{name}": number for name, number in numbers.items()}, step)

        if not trainer.is_global_zero:
            return
        optimizer, module = self._optimizer_of(trainer), self._module_of(pl_module)
        if self._steps is None:  # global_step counts the updates of all optimizers
            self._steps = trainer.global_step if len(trainer.optimizers) == 1 else 0
        self._close()  # of a fit that ended with an error
        options = {"optimizer": optimizer, "start": self._steps, "log": log, **self._options}
        self.monitor = sharpest.watch(module, self._loss, placed(self._probe, module), **options)
        self._updates, self._counted = Updates(self.monitor.optimizer), 0
        if not self._updates.works:
            self._close()
            raise ValueError(
                f"the updates of {type(self.monitor.optimizer).__name__} cannot be counted; let its __init__ call that "
                "of torch.optim.Optimizer"
            )

    def _optimizer_of(self, trainer: Trainer) -> Optimizer:
        if callable(self._optimizer):
            return self._optimizer(trainer)
        count = len(trainer.optimizers)
        if self._optimizer is None and count > 1:
            raise ValueError(f"the trainer has {count} optimizers; pass optimizer, the number of the one to watch")
        number = self._optimizer or 0
        if not 0 <= number < count:
            raise ValueError(f"optimizer {number} is not among the {count} optimizers of the trainer")
        found: Optimizer = trainer.optimizers[number]
        return found

    def _module_of(self, pl_module: LightningModule) -> nn.Module:
        if self._module is None:
            return pl_module
        found: nn.Module = self._module(pl_module) if callable(self._module) else attrgetter(self._module)(pl_module)
        return found

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.monitor is None:
            return
        # with gradient accumulation several batches make one update, with two optimizers a batch may make none
        updates, self._counted = self._updates.count - self._counted, self._updates.count
        if updates:
            self.monitor.step(batch, updates)
            self._steps = self.monitor.num_steps

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._close()

    def _close(self) -> None:
        if self.monitor is not None:
            self.monitor.close()
            self._updates.close()
