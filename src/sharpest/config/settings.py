"""The settings a user can write, each with its type, range and meaning.

Lengths are in epochs or iterations (updates), losses in nats, accuracies in fractions. A mapping whose keys are
patterns (``scnn-*``) gives each run the value of the first pattern that matches its id.
"""

from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from sharpest.config.architectures.lstm import LstmSettings
from sharpest.config.architectures.own import OwnSettings
from sharpest.config.architectures.resnet import ResNetSettings
from sharpest.config.architectures.simple_cnn import SimpleCnnSettings
from sharpest.config.architectures.text_cnn import TextCnnSettings
from sharpest.config.architectures.vgg import VggSettings
from sharpest.config.datasets import DatasetSettings
from sharpest.config.measurement import EvaluationSettings, MeasurementSettings, ScheduleSettings
from sharpest.config.patterns import first_match
from sharpest.config.run import HessianSettings
from sharpest.config.source import SourceSettings, SubstituteSettings
from sharpest.config.strict import Strict
from sharpest.config.studies.every import AnyStudy

ModelSettings = Annotated[
    SimpleCnnSettings | ResNetSettings | VggSettings | LstmSettings | TextCnnSettings | OwnSettings,
    Field(discriminator="kind"),
]
_Part = TypeVar("_Part", bound=Strict)

BY_RUN = (
    "lr_factor",
    "batch_factor",
    "epochs",
    "branch_epochs",
    "snapshot_every",
    "refresh_every",
    "clip_norm",
    "patience",
    "stop_patience",
    "overrides",
)
"""Keys of a scale whose values are mappings from patterns of run ids."""


def models_in(annotation: Any) -> list[type[Strict]]:
    """The settings classes that an annotation such as ``dict[str, A | B]`` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


class VariantSettings(Strict):
    """How the branches of Fig. 7 are followed."""

    num_eigenpairs: PositiveInt
    """Eigenpairs computed and recorded; the step is scaled along the first."""
    refresh_every: PositiveInt
    """Iterations between computations."""
    loss_examples: PositiveInt
    """Clean training examples of the loss recorded with them."""


class Overrides(Strict):
    """What is measured differently for some runs; keys as in the scale."""

    hessian: dict[str, Any] = Field(default={})
    """Keys of the scale's hessian."""
    measurement: dict[str, Any] = Field(default={})
    """Keys of the scale's measurement."""
    evaluation: dict[str, Any] = Field(default={})
    """Keys of the scale's evaluation."""


class ScaleSettings(Strict):
    """One scale: the values behind the runs and studies."""

    description: str
    """One line for readers."""
    datasets: dict[str, DatasetSettings]
    """Data set of the paper -> what stands for it."""
    models: dict[str, ModelSettings]
    """Model name in run ids -> architecture."""
    lr_factor: dict[str, PositiveFloat]
    """Multiplies the paper's learning rates, by pattern; elsewhere 1."""
    batch_factor: dict[str, PositiveFloat]
    """Multiplies the paper's batch sizes, by pattern; elsewhere 1."""
    full_batch_examples: PositiveInt
    """Training images of the full-batch runs."""
    epochs: dict[str, PositiveInt]
    """End of runs, by pattern; elsewhere that in runs.tsv."""
    branch_epochs: dict[str, NonNegativeInt]
    """Epoch at which branches leave their parent, by pattern; elsewhere that of their id."""
    snapshot_every: dict[str, PositiveInt]
    """Epochs between snapshots, by pattern; elsewhere 1."""
    refresh_every: dict[str, PositiveInt]
    """Iterations between computations of NSGD's directions, by pattern; elsewhere once an epoch."""
    clip_norm: dict[str, PositiveFloat]
    """Longest gradient, by pattern; elsewhere any length."""
    variants: VariantSettings
    patience: dict[str, PositiveInt]
    """Plateau rule: epochs without better validation loss before a cut, by pattern."""
    stop_patience: dict[str, PositiveInt]
    """Plateau rule: epochs without better accuracy before the stop, by pattern."""
    hessian: HessianSettings
    measurement: MeasurementSettings
    evaluation: EvaluationSettings
    seeds: dict[str, PositiveInt]
    """How many of the seeds of a figure or table are used, by its name; elsewhere all."""
    notes: dict[str, str]
    """What a figure or table does not show at this scale, for its foot."""
    overrides: dict[str, Overrides]
    """What is measured differently, by pattern."""
    schedules: dict[str, ScheduleSettings]
    runs: dict[str, PositiveInt] = Field(default={})
    """Runs beside those of config/runs.tsv, with their lengths in epochs; they are not compared with the paper."""
    studies: dict[str, AnyStudy] = Field(default={})
    """Figures and tables beside those of config/studies.yaml; their keys are below."""
    torch_threads: PositiveInt
    """Threads of each job; part of a run's identity (bits depend on it)."""
    time_limit: PositiveInt
    """Minutes a cluster gives a training or measuring job at first; each further attempt gets as many more."""

    def hessian_of(self, run: str) -> HessianSettings:
        """The Hessian that is measured on a run."""
        return self._overridden("hessian", self.hessian, run)

    def measurement_of(self, run: str) -> MeasurementSettings:
        """The losses and accuracies that are measured on a run."""
        return self._overridden("measurement", self.measurement, run)

    def evaluation_of(self, run: str) -> EvaluationSettings:
        """How the end points of a run are evaluated."""
        return self._overridden("evaluation", self.evaluation, run)

    def _overridden(self, name: str, settings: _Part, run: str) -> _Part:
        """A part of the scale with what the first pattern that fits a run changes in it."""
        overrides = first_match(self.overrides, run)
        changes = getattr(overrides, name) if overrides else {}
        return type(settings)(**{**settings.model_dump(), **changes})


class ProjectSettings(Strict):
    """config/config.yaml: the page a user edits."""

    scale: str
    """Name of a file in config/scales."""
    device: Literal["cpu", "cuda"] = Field(default="cpu")
    """Where jobs train and measure; cuda asks for one GPU a job."""
    datasets: dict[str, dict[str, Any]] = Field(default={})
    """Changes to the scale's datasets."""
    sources: dict[str, SourceSettings] = Field(default={})
    """Where data files are, by source."""
    substitutes: dict[str, SubstituteSettings] = Field(default={})
    """What stands in for a source, wherever the scale names it."""
