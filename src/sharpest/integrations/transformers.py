"""A monitor for the Trainer of Hugging Face's transformers."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

import sharpest
from sharpest.watch.monitor import Monitor
from sharpest.watch.nets import Loss, as_probe, placed
from sharpest.watch.undisturbed import undisturbed


def loss_of_output(model: Any, batch: Any) -> Tensor:
    """The loss that a transformers model computes from a batch with labels."""
    loss: Tensor = model(**batch).loss
    return loss


class WatchCallback(TrainerCallback):  # type: ignore[misc]
    """Watches the curvature of a loss while the Trainer trains; runs in the first process.

    Steps are the updates. If the same callback is used in a second training, they go on, also in the file.

    Args:
        probe: As in ``sharpest.watch.monitor.Monitor``: batches of a data collator. They are moved to the device and
            dtype of the model.
        loss: ``loss(model, batch)``, the mean over the batch.
        options: Further arguments of ``Monitor``, such as ``log``; the optimizer is the trainer's.

    Attributes:
        monitor: The monitor of the latest training; None before the first.
    """

    def __init__(self, probe: Iterable[Any], loss: Loss = loss_of_output, **options: Any) -> None:
        with undisturbed(torch.device("cpu")):  # a loader as the probe draws random numbers
            self._probe = as_probe(probe)
        self._loss, self._options = loss, options
        self.monitor: Monitor | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            model, before = kwargs["model"], 0 if self.monitor is None else self.monitor.num_steps
            self._close()  # of a training that ended with an error
            # a second training begins at step 0, a resumed one at the step of its checkpoint
            start = state.global_step or before
            options = {"optimizer": kwargs["optimizer"], "start": start, **self._options}
            self.monitor = sharpest.watch(model, self._loss, placed(self._probe, model), **options)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.monitor is not None:
            self.monitor.step()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self.monitor is not None:
            self.monitor.close()
