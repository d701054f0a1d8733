"""The objective of a run: its data, its model, and the losses measured on them."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor

from sharpest.config import architecture_module
from sharpest.config.run import RunSettings
from sharpest.data.dataset import RunData, Split, load_data
from sharpest.data.randomness import derived_seed
from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel

EVALUATION_CHUNK = 1_000  # targets per forward pass; no effect on results


@dataclass(frozen=True)
class Problem:
    """Data and model of one run.

    The model measures in inference mode, with the buffers bound to it; ``at`` binds the buffers of a state.
    """

    settings: RunSettings
    data: RunData
    model: FlatModel

    def at(self, buffers: Tensor) -> "Problem":
        """The same problem with the buffers (b,) of a state."""
        return replace(self, model=self.model.bind(buffers))

    def mean_loss(self, theta: Tensor, split: Split, chunk_size: int) -> Tensor:
        """Mean training loss with L2 over examples, computed in chunks, in inference mode.

        Args:
            theta: (p,); all computation is in its dtype.
            split: n examples.
            chunk_size: Examples per pass; affects only memory and the last bits.

        Returns:
            A scalar, twice differentiable.
        """
        chunks = chunks_of(split, chunk_size)
        shares = [self.model.loss(theta, inputs, targets) * (len(targets) / len(split)) for inputs, targets in chunks]
        return torch.stack(shares).sum()

    def gradient(self, theta: Tensor, batch: Split) -> Tensor:
        """Gradient (p,) of the training loss on a batch, in inference mode."""
        theta = theta.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.model.loss(theta, batch.inputs, batch.targets), theta)
        return gradient

    def training_gradient(
        self, theta: Tensor, buffers: Tensor, iteration: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gradient of the training loss on the batch of an update, in training mode.

        Args:
            theta: (p,).
            buffers: (b,); overwritten with their values after the batch.
            iteration: Completed updates; determines the batch and the dropout masks.

        Returns:
            (p,) gradient, clipped to the run's maximal norm; the loss with L2, a scalar; the accuracy as a fraction, a
            scalar; whether the gradient was clipped, a scalar.
        """
        theta = theta.detach().requires_grad_()
        loss, correct = self._training_loss(theta, buffers, iteration)
        (gradient,) = torch.autograd.grad(loss, theta)
        cut = loss.new_zeros((), dtype=torch.bool)
        if self.settings.clip_norm is not None:
            norm = gradient.norm()
            cut = norm > self.settings.clip_norm
            gradient = gradient * (self.settings.clip_norm / norm).clamp(max=1)
        return gradient, loss.detach(), correct, cut

    def training_loss(self, theta: Tensor, buffers: Tensor, iteration: int) -> float:
        """The loss that an update would compute; arguments as in ``training_gradient``, but nothing is overwritten."""
        # with a graph, as in an update: without, torch may choose kernels that round differently
        loss, _ = self._training_loss(theta.detach().requires_grad_(), buffers.clone(), iteration)
        return float(loss.detach())

    def _training_loss(self, theta: Tensor, buffers: Tensor, iteration: int) -> tuple[Tensor, Tensor]:
        """The loss of an update, a scalar with its graph, and the accuracy as a fraction."""
        batch = self.data.stream.batch(iteration)
        seed = derived_seed(self.settings.seed, "dropout", iteration)
        logits = self.model.training_logits(theta, buffers, batch.inputs, seed)
        loss = self.model.criterion(logits, batch.targets) + self.model.penalty(theta)
        return loss, (logits.detach().argmax(-1) == batch.targets).float().mean()

    def evaluate(self, theta: Tensor, split: Split) -> tuple[float, float]:
        """Loss without L2, and accuracy as a fraction, in inference mode; means over all targets."""
        loss, correct = self.answers(theta, split)
        return loss, int(correct.sum()) / len(correct)

    def answers(self, theta: Tensor, split: Split) -> tuple[float, Tensor]:
        """The same loss, and whether the prediction of each of the n targets is correct, (n,) bool, in their order."""
        loss, correct = 0.0, []
        size = max(1, EVALUATION_CHUNK * len(split) // split.targets.numel())
        with torch.no_grad():
            for inputs, targets in chunks_of(split, size):
                logits = self.model.logits(theta, inputs).flatten(0, -2)
                loss += float(self.model.criterion(logits, targets, reduction="sum"))
                correct.append(logits.argmax(1) == targets.flatten())
        return loss / split.targets.numel(), torch.cat(correct)


class ImportedProblem(Problem):
    """An imported run. Only its loss is known: it has neither an accuracy nor validation and test splits."""

    def evaluate(self, theta: Tensor, split: Split) -> tuple[float, float]:
        """The loss, and NaN for the accuracy; NaN for both if there are no examples."""
        if not len(split):
            return float("nan"), float("nan")
        with torch.no_grad():
            return float(self.mean_loss(theta, split, self.settings.batch_size)), float("nan")


def chunks_of(split: Split, size: int) -> list[tuple[Tensor, Tensor]]:
    """A split as (inputs, targets) pairs of at most ``size`` examples."""
    return list(zip(split.inputs.split(size), split.targets.split(size), strict=True))


def device() -> torch.device:
    """A GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def build_problem(settings: RunSettings, data_path: str | Path) -> Problem:
    """Set up a run: fix the thread count, load its data, build its model.

    Raises:
        DataError, StoreError: If the data file is damaged, or does not hold the data that the settings name.
        DataError: If the user's code behind an imported run does not provide a net and a loss.
    """
    # the thread count changes the order of sums and hence bits, so it is part of a run's identity
    torch.set_num_threads(settings.torch_threads)
    # curvature needs full float32 precision
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    place = device()
    data = load_data(data_path, settings, place)
    if settings.is_imported:
        model = import_module(architecture_module(settings.model)).imported_model(settings.model, data)
        return ImportedProblem(settings, data, model)
    module = build_model(settings.model, data.input_shape, data.num_classes, settings.seed, settings.batch_size)
    return Problem(settings, data, FlatModel(module.to(place), settings.l2, settings.loss))
