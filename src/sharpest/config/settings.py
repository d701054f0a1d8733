"""The settings a user can write, each with its type, range and meaning.

Lengths are in epochs or iterations (updates), losses in nats, accuracies in fractions. A mapping whose keys are
patterns (``scnn-*``) gives each run the value of the first pattern that matches its id.
"""

from typing import Annotated, Any, get_args

from pydantic import Field, PositiveFloat, PositiveInt

from sharpest.config.architectures.resnet import ResNetSettings
from sharpest.config.architectures.simple_cnn import SimpleCnnSettings
from sharpest.config.measurement import EvaluationSettings, MeasurementSettings, ScheduleSettings
from sharpest.config.run import DatasetSettings, HessianSettings
from sharpest.config.source import SourceSettings
from sharpest.config.strict import Strict

ByRun = dict[str, Annotated[int, Field(ge=1)]]
ModelSettings = Annotated[SimpleCnnSettings | ResNetSettings, Field(discriminator="kind")]


def models_in(annotation: Any) -> list[type[Strict]]:
    """The settings classes that an annotation such as ``dict[str, A | B]`` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


class ScaleSettings(Strict):
    """One scale: the values behind the runs and studies."""

    description: str
    """One line for readers."""
    datasets: dict[str, DatasetSettings]
    """Data set of the paper -> what stands for it."""
    models: dict[str, ModelSettings]
    """Model name in run ids -> architecture."""
    lr_factor: PositiveFloat
    """Multiplies every learning rate of the paper."""
    batch_factor: PositiveFloat
    """Multiplies every batch size of the paper."""
    epochs: ByRun
    """Length of runs, by pattern; elsewhere the length in runs.tsv."""
    snapshot_every: ByRun
    """Epochs between snapshots, by pattern."""
    patience: PositiveInt
    """Plateau rule: epochs without better validation loss before a cut."""
    stop_patience: PositiveInt
    """Plateau rule: epochs without better accuracy before the stop."""
    hessian: HessianSettings
    measurement: MeasurementSettings
    evaluation: EvaluationSettings
    schedules: dict[str, ScheduleSettings]
    torch_threads: PositiveInt
    """Threads of each job; part of a run's identity (bits depend on it)."""


class ProjectSettings(Strict):
    """config/config.yaml: the page a user edits."""

    scale: str
    """Name of a file in config/scales."""
    datasets: dict[str, dict[str, Any]] = Field(default={})
    """Changes to the scale's datasets."""
    sources: dict[str, SourceSettings] = Field(default={})
    """Where data files are, by source."""
