"""What an imported run optimised: a net, a loss and batches of the user's own."""

from __future__ import annotations

import torch
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.data.dataset import RunData, Split
from sharpest.data.imported import ImportedData
from sharpest.models.imported import ImportedModel, build_net
from sharpest.trajectory.problem import Problem


class ImportedProblem(Problem):
    """Only its loss is known: no answers, and no split but the given examples."""

    def evaluate(self, theta: Tensor, split: Split) -> tuple[float, float]:
        """The run's loss, and NaN for the accuracy; NaN for both where there are no examples."""
        if not len(split):
            return float("nan"), float("nan")
        with torch.no_grad():
            return float(self.mean_loss(theta, split, self.settings.batch_size)), float("nan")


def imported_problem(settings: RunSettings, data: RunData) -> Problem:
    """Set up an imported run.

    Args:
        settings: The run.
        data: Of the same.

    Raises:
        DataError: If the user's code does not give what it should.
    """
    assert isinstance(data, ImportedData)
    net, loss = build_net(settings.model)
    return ImportedProblem(settings, data, ImportedModel(net.to(data.train.inputs.device), loss, data.examples))
