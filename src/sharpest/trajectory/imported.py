"""The objective of an imported run: a net, a loss and batches from the user's code."""

from __future__ import annotations

import torch
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.data.dataset import RunData, Split
from sharpest.data.imported import ImportedData
from sharpest.models.imported import ImportedModel, build_net
from sharpest.trajectory.problem import Problem


class ImportedProblem(Problem):
    """An imported run. Only its loss is known: it has neither an accuracy nor validation and test splits."""

    def evaluate(self, theta: Tensor, split: Split) -> tuple[float, float]:
        """The loss, and NaN for the accuracy; NaN for both if there are no examples."""
        if not len(split):
            return float("nan"), float("nan")
        with torch.no_grad():
            return float(self.mean_loss(theta, split, self.settings.batch_size)), float("nan")


def imported_problem(settings: RunSettings, data: RunData) -> Problem:
    """Set up an imported run.

    Args:
        settings: The run.
        data: Its data.

    Raises:
        DataError: If the user's code does not provide a net and a loss.
    """
    assert isinstance(data, ImportedData)
    net, loss = build_net(settings.model)
    return ImportedProblem(settings, data, ImportedModel(net.to(data.train.inputs.device), loss, data.examples))
