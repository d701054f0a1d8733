"""What one run optimises: its data, its model, and the losses that are measured on them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sharpest.config.run import RunSettings
from sharpest.data.dataset import ImageData, Split, load_images
from sharpest.data.stream import TrainingStream
from sharpest.models.build import build_model
from sharpest.models.flat import FlatModel

EVALUATION_CHUNK = 1_000  # examples a forward pass; no effect on results


@dataclass(frozen=True)
class Problem:
    """Data, model and stream of one run."""

    settings: RunSettings
    data: ImageData
    model: FlatModel
    stream: TrainingStream

    def gradient(self, theta: Tensor, batch: Split) -> tuple[Tensor, Tensor, Tensor]:
        """Gradient of the training loss on a batch.

        Returns:
            (p,) gradient; the loss, a scalar in nats with L2; the number of correct answers, a scalar.
        """
        theta = theta.detach().requires_grad_()
        logits = self.model.logits(theta, batch.inputs)
        loss = torch.nn.functional.cross_entropy(logits, batch.targets) + self.model.penalty(theta)
        (gradient,) = torch.autograd.grad(loss, theta)
        return gradient, loss.detach(), (logits.detach().argmax(1) == batch.targets).sum()

    def evaluate(self, theta: Tensor, split: Split) -> tuple[float, float]:
        """Cross-entropy in nats without L2, and accuracy as a fraction, in inference mode."""
        loss, correct = 0.0, 0
        with torch.no_grad():
            for inputs, targets in chunks_of(split, EVALUATION_CHUNK):
                logits = self.model.logits(theta, inputs)
                loss += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
                correct += int((logits.argmax(1) == targets).sum())
        return loss / len(split), correct / len(split)


def chunks_of(split: Split, size: int) -> list[tuple[Tensor, Tensor]]:
    """A split as (inputs, targets) pairs of at most ``size`` examples."""
    return list(zip(split.inputs.split(size), split.targets.split(size), strict=True))


def device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def build_problem(settings: RunSettings, data_path: str | Path) -> Problem:
    """Set up a run: fix the thread count, load its data, build its model in inference mode.

    Raises:
        DataError, StoreError: If the data file is not what the settings name.
    """
    # the thread count changes the order of sums, hence bits: it is part of a run's identity
    torch.set_num_threads(settings.torch_threads)
    # curvature needs full float32
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    place = device()
    data = load_images(data_path, settings.dataset, settings.model["image_size"], settings.seed, place)
    module = build_model(settings.model, data.train.inputs.shape[1:], data.num_classes, settings.seed)
    stream = TrainingStream(
        data.train, settings.batch_size, settings.seed, settings.dataset.flip, settings.dataset.shift
    )
    return Problem(settings, data, FlatModel(module.to(place).eval(), settings.l2), stream)
