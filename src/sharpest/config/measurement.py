"""What is measured on a run, and when."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from sharpest.config.strict import Strict


class MeasurementSettings(Strict):
    """Losses and accuracies taken beside the curvature."""

    loss_examples: PositiveInt
    """Clean training examples of the alpha study and the profiles."""
    accuracy_examples: PositiveInt
    """Clean training examples of the running accuracy."""


class EvaluationSettings(Strict):
    """End points of a run (inventory 1.7)."""

    num_eigenpairs: PositiveInt
    """Eigenvalues behind the Frobenius norm."""
    examples: PositiveInt
    """N of that Hessian."""
    num_probes: int = Field(ge=4)
    """Hessian-vector products behind the estimate of the Frobenius norm from all eigenvalues (Hutchinson++)."""
    loss_examples: PositiveInt
    """Clean training examples of the final loss."""
    early_epoch: PositiveInt
    """Epoch at whose end the early validation accuracy is read."""


class DirectionSettings(Strict):
    """What is measured along the eigenvectors (inventory, Figs. 5 and 6)."""

    indices: tuple[Annotated[int, Field(ge=-1)], ...] = Field(min_length=1)
    """Eigenvectors, from 1; 0 = the full step, -1 = a random direction."""
    num_gradients: PositiveInt
    """Mini-batch gradients at each point."""
    alphas: tuple[PositiveFloat, ...] = ()
    """Multiples of the step whose loss is taken."""
    alpha_every: PositiveInt = 1
    """Alpha study at every n-th point."""
    grid: tuple[float, ...] = ()
    """Profile points, in mean step lengths."""


class SpectrumSettings(Strict):
    """What is measured at the points of a schedule, without directions."""

    num_eigenpairs: PositiveInt
    """K, eigenpairs of largest magnitude."""
    accuracy_every: int = Field(default=0, ge=0)
    """Losses and accuracies at every n-th point; 0 = never."""
    keep_vectors: bool
    """Whether the eigenvectors are kept, for directions."""


class ScheduleSettings(Strict):
    """When a run is measured, and what: one spectra file, and one directions file where directions are asked for."""

    points: str | dict[str, str]
    """Measurement points, see docs/configuration.md; may differ by run."""
    num_eigenpairs: PositiveInt
    """K, eigenpairs of largest magnitude."""
    accuracy_every: int = Field(default=0, ge=0)
    """Losses and accuracies at every n-th point; 0 = never."""
    window_epochs: PositiveFloat | dict[str, PositiveFloat] | None = None
    """Early window that figures draw apart; may differ by run."""
    shard_points: PositiveInt | dict[str, PositiveInt] | None = None
    """Points that one job measures, may differ by run; none = all. Each such shard starts its first solve cold."""
    directions: DirectionSettings | None = None
