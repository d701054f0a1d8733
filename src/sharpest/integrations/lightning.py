"""A monitor for Lightning's Trainer."""

from collections.abc import Iterable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

import sharpest
from sharpest.watch.monitor import Monitor
from sharpest.watch.nets import Loss


class WatchCallback(Callback):  # type: ignore[misc]
    """Watches the curvature of a loss while Lightning trains; runs in the first process and uses Lightning's loggers.

    Args:
        loss: ``loss(module, batch)``, the mean over the batch; it must use the LightningModule that it is passed.
        probe: As in ``sharpest.watch.monitor.Monitor``.
        options: Further arguments of ``Monitor``; the optimizer is the trainer's first one.

    Attributes:
        monitor: The monitor of the latest training; None before the first.
    """

    def __init__(self, loss: Loss, probe: Iterable[Any], **options: Any) -> None:
        self._loss, self._probe, self._options = loss, list(probe), options
        self.monitor: Monitor | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        def log(step: int, numbers: dict[str, float]) -> None:
            for logger in trainer.loggers:
                logger.log_metrics({f"curvature/{name}": number for name, number in numbers.items()}, step)

        if trainer.is_global_zero:
            options = {"optimizer": trainer.optimizers[0], "start": trainer.global_step, "log": log, **self._options}
            self._step = trainer.global_step
            self.monitor = sharpest.watch(pl_module, self._loss, self._probe, **options)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # with gradient accumulation, several batches make one update
        if self.monitor is not None and trainer.global_step > self._step:
            self._step = trainer.global_step
            self.monitor.step(batch)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.monitor is not None:
            self.monitor.close()
