"""The settings a user can write, each with its type, range and meaning.

Lengths are in epochs or iterations (updates), losses in nats, accuracies in fractions. A mapping whose keys are
patterns (``scnn-*``) gives each run the value of the first pattern that matches its id.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

ByRun = dict[str, Annotated[int, Field(ge=1)]]


class Strict(BaseModel):
    """Unknown keys are refused, and settings do not change after they are read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetSettings(Strict):
    """Which data stands for one data set of the paper, and how much of it (inventory 1.1)."""

    source: str = Field(description="name of the data that is really read, see sharpest.data.sources")
    train: PositiveInt = Field(description="training examples, the first of the seed's permutation")
    val: PositiveInt = Field(description="validation examples, the last of the permutation")
    test: PositiveInt = Field(description="test examples, the first of the test set")
    flip: bool = Field(description="horizontal flips with probability 1/2")
    shift: float = Field(ge=0, le=0.5, description="largest shift, as a fraction of the side; 0 = none")


class SimpleCnnSettings(Strict):
    """SimpleCNN (inventory 5.1)."""

    kind: Literal["simple_cnn"]
    width: PositiveInt = Field(description="filters of the first two convolutions")
    kernel_size: Literal[3, 5] = Field(description="side of every kernel")
    padding: Literal["valid", "same"] = Field(description="padding of the second and fourth convolution")
    hidden: PositiveInt = Field(description="units of the dense layer")
    image_size: PositiveInt | None = Field(default=None, description="side to resize images to; none = as they are")


class ResNetSettings(Strict):
    """Pre-activation ResNet without batch normalisation (inventory 5.2)."""

    kind: Literal["resnet"]
    blocks_per_stage: PositiveInt = Field(description="residual blocks in each stage")
    widths: tuple[PositiveInt, ...] = Field(min_length=1, description="channels of each stage")
    image_size: PositiveInt | None = Field(default=None, description="side to resize images to; none = as they are")


ModelSettings = Annotated[SimpleCnnSettings | ResNetSettings, Field(discriminator="kind")]


class HessianSettings(Strict):
    """The Hessian that is measured (inventory 1.4)."""

    examples: PositiveInt = Field(description="N, training examples behind each Hessian")
    resample: bool = Field(description="new augmented examples at each measurement; false = the first N, clean")
    chunk_size: PositiveInt = Field(description="examples that pass through the device at once; no effect on results")
    tolerance: float = Field(gt=0, lt=1, description="largest residual |Hv - lambda v| / |lambda_1| asked for")
    max_products: PositiveInt = Field(description="Hessian-vector products after which a measurement is given up")


class MeasurementSettings(Strict):
    """Losses and accuracies taken beside the curvature."""

    loss_examples: PositiveInt = Field(description="clean training examples of the alpha study and the profiles")
    accuracy_examples: PositiveInt = Field(description="clean training examples of the running accuracy")


class EvaluationSettings(Strict):
    """End points of a run (inventory 1.7)."""

    num_eigenpairs: PositiveInt = Field(description="eigenvalues behind the Frobenius norm")
    examples: PositiveInt = Field(description="N of that Hessian")
    loss_examples: PositiveInt = Field(description="clean training examples of the final loss")
    early_epoch: PositiveInt = Field(description="epoch at whose end the early validation accuracy is read")


class DirectionSettings(Strict):
    """What is measured along the eigenvectors (inventory, Figs. 5 and 6)."""

    indices: tuple[Annotated[int, Field(ge=-1)], ...] = Field(
        min_length=1, description="eigenvectors, from 1; 0 = the full step, -1 = a random direction"
    )
    num_gradients: PositiveInt = Field(description="mini-batch gradients at each point")
    alphas: tuple[PositiveFloat, ...] = Field(default=(), description="multiples of the step whose loss is taken")
    alpha_every: PositiveInt = Field(default=1, description="alpha study at every n-th point")
    grid: tuple[float, ...] = Field(default=(), description="profile points, in mean step lengths")


class ScheduleSettings(Strict):
    """When a run is measured, and what: one spectra file, and one directions file where directions are asked for."""

    points: str | dict[str, str] = Field(description="measurement points, see docs/configuration.md; may differ by run")
    num_eigenpairs: PositiveInt = Field(description="K, eigenpairs of largest magnitude")
    accuracy_every: int = Field(default=0, ge=0, description="losses and accuracies at every n-th point; 0 = never")
    window_epochs: PositiveFloat | None = Field(default=None, description="early window that figures draw apart")
    directions: DirectionSettings | None = None


class ScaleSettings(Strict):
    """One scale: the values behind the runs and studies."""

    description: str
    datasets: dict[str, DatasetSettings] = Field(description="data set of the paper -> what stands for it")
    models: dict[str, ModelSettings] = Field(description="model name in run ids -> architecture")
    lr_factor: PositiveFloat = Field(description="multiplies every learning rate of the paper")
    batch_factor: PositiveFloat = Field(description="multiplies every batch size of the paper")
    epochs: ByRun = Field(description="length of runs, by pattern; elsewhere the length in runs.tsv")
    snapshot_every: ByRun = Field(description="epochs between snapshots, by pattern")
    patience: PositiveInt = Field(description="plateau rule: epochs without better validation loss before a cut")
    stop_patience: PositiveInt = Field(description="plateau rule: epochs without better accuracy before the stop")
    hessian: HessianSettings
    measurement: MeasurementSettings
    evaluation: EvaluationSettings
    schedules: dict[str, ScheduleSettings]
    torch_threads: PositiveInt = Field(description="threads of each job; part of a run's identity (bits depend on it)")


class SourceSettings(Strict):
    """Where the files of one data source are."""

    folder: str | None = Field(default=None, description="folder that holds the files; none = usual places, then url")
    url: str | None = Field(default=None, description="where to download from; none = the canonical address")


class ProjectSettings(Strict):
    """config/config.yaml: the page a user edits."""

    scale: str = Field(description="name of a file in config/scales")
    datasets: dict[str, dict[str, object]] = Field(default={}, description="changes to the scale's datasets")
    sources: dict[str, SourceSettings] = Field(default={}, description="where data files are, by source")


class NsgdSettings(Strict):
    """Nudged SGD (inventory 1.6)."""

    gamma: float = Field(ge=0, description="scale of the step along the top directions")
    num_directions: PositiveInt = Field(description="K, directions that are scaled")
    num_eigenpairs: PositiveInt = Field(description="eigenpairs computed; the first K in signed order are used")
    hessian: HessianSettings


class RunSettings(Strict):
    """All that the training of one run depends on; stored with it as the attribute ``config``."""

    run: str
    dataset_name: str
    dataset: DatasetSettings
    model: ModelSettings
    lr: PositiveFloat
    batch_size: PositiveInt
    momentum: float = Field(ge=0, lt=1)
    l2: float = Field(ge=0, description="adds l2 * sum(w^2) over kernels, without a factor 1/2 (inventory 1.2)")
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
