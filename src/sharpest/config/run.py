"""What the training of one run depends on."""

from typing import Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from sharpest.config.strict import Strict


class DatasetSettings(Strict):
    """Which data stands for one data set of the paper, and how much of it (inventory 1.1)."""

    source: str
    """Name of the data that is really read, see sharpest.data.sources."""
    train: PositiveInt
    """Training examples, the first of the seed's permutation."""
    val: PositiveInt
    """Validation examples, the last of the permutation."""
    test: PositiveInt
    """Test examples, the first of the test set."""
    flip: bool
    """Horizontal flips with probability 1/2."""
    shift: float = Field(ge=0, le=0.5)
    """Largest shift, as a fraction of the side; 0 = none."""


class HessianSettings(Strict):
    """The Hessian that is measured (inventory 1.4)."""

    examples: PositiveInt
    """N, training examples behind each Hessian."""
    resample: bool
    """New augmented examples at each measurement; false = the first N, clean."""
    chunk_size: PositiveInt
    """Examples that pass through the device at once; no effect on results."""
    tolerance: float = Field(gt=0, lt=1)
    """Largest residual |Hv - lambda v| / |lambda_1| asked for."""
    max_products: PositiveInt
    """Hessian-vector products after which a measurement is given up."""


class NsgdSettings(Strict):
    """Nudged SGD (inventory 1.6)."""

    gamma: float = Field(ge=0)
    """Scale of the step along the top directions."""
    num_directions: PositiveInt
    """K, directions that are scaled."""
    num_eigenpairs: PositiveInt
    """Eigenpairs computed; the first K in signed order are used."""
    hessian: HessianSettings


class RunSettings(Strict):
    """All that the training of one run depends on; stored with it as the attribute ``config``."""

    run: str
    dataset_name: str
    dataset: DatasetSettings
    model: dict[str, Any]
    """Settings of one architecture, checked by the class of its ``kind``."""
    lr: PositiveFloat
    batch_size: PositiveInt
    momentum: float = Field(ge=0, lt=1)
    l2: float = Field(ge=0)
    """Adds l2 * sum(w^2) over kernels, without a factor 1/2 (inventory 1.2)."""
    nsgd: NsgdSettings | None
    rule: Literal["const", "plat"]
    patience: PositiveInt | None
    stop_patience: PositiveInt | None
    seed: int
    epochs: PositiveInt
    snapshot_every: PositiveInt
    torch_threads: PositiveInt

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one epoch (inventory 1.3)."""
        return max(1, self.dataset.train // self.batch_size)

    @property
    def num_iterations(self) -> int:
        """Updates in the planned run."""
        return self.epochs * self.steps_per_epoch
