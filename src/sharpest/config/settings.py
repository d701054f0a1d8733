"""The settings a user can write, each with its type, range and meaning.

Lengths are in epochs or iterations (updates), losses in nats, accuracies in fractions.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from sharpest.config.architectures.fcn import FcnSettings
from sharpest.config.architectures.imported import ImportedNetSettings
from sharpest.config.architectures.lstm import LstmSettings
from sharpest.config.architectures.own import OwnSettings
from sharpest.config.architectures.resnet import ResNetSettings
from sharpest.config.architectures.simple_cnn import SimpleCnnSettings
from sharpest.config.architectures.text_cnn import TextCnnSettings
from sharpest.config.architectures.vgg import VggSettings
from sharpest.config.datasets import DatasetSettings
from sharpest.config.run import HessianSettings
from sharpest.config.source import SourceSettings, SubstituteSettings
from sharpest.config.strict import Strict
from sharpest.config.studies.every import AnyStudy

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$"
"""Of what becomes a part of the path of a results file."""
Name = Annotated[str, Field(pattern=NAME)]

ModelSettings = Annotated[
    SimpleCnnSettings
    | ResNetSettings
    | VggSettings
    | FcnSettings
    | LstmSettings
    | TextCnnSettings
    | OwnSettings
    | ImportedNetSettings,
    Field(discriminator="kind"),
]


class VariantSettings(Strict):
    """How branches whose step is scaled are followed: Fig. 7."""

    num_eigenpairs: PositiveInt
    """Eigenpairs computed and recorded, at least K; the step is scaled along the first, or the first K."""
    refresh_every: PositiveInt
    """Iterations between computations."""
    loss_examples: PositiveInt
    """Clean training examples of the loss recorded with them."""


class ScheduleSettings(Strict):
    """When a run is measured, and what is taken then."""

    points: str | None = None
    """Measurement points, see above; none = only for the runs to which for_runs gives some."""
    window_epochs: PositiveFloat | None = None
    """Early window that figures draw apart."""
    shard_points: PositiveInt | None = None
    """Points that one job measures; none = all. Each such shard starts its first solve cold."""
    measures: dict[str, dict[str, Any] | None] = Field(default={})
    """Measures that are taken, each with what differs from the scale's measures; none = no longer taken."""


class RunKeys(Strict):
    """What a scale says of its runs."""

    lr_factor: PositiveFloat = 1
    """Multiplies the learning rate of the id."""
    batch_factor: PositiveFloat = 1
    """Multiplies the batch size of the id; not that of full-batch runs."""
    epochs: PositiveInt | None = None
    """End of the run; none = as in runs.tsv."""
    branch_epoch: NonNegativeInt | None = None
    """Epoch at which a branch leaves its parent; none = that of its id."""
    snapshot_every: PositiveInt = 1
    """Epochs between snapshots."""
    refresh_every: PositiveInt | None = None
    """Iterations between computations of NSGD's directions; none = once an epoch."""
    clip_norm: PositiveFloat | None = None
    """Longest gradient; none = any length."""
    patience: PositiveInt | None = None
    """Plateau rule: epochs without better validation loss before a cut."""
    stop_patience: PositiveInt | None = None
    """Plateau rule: epochs without better accuracy before the stop."""
    variants: VariantSettings
    hessian: HessianSettings
    measures: dict[str, dict[str, Any]] = Field(default={})
    """Settings of measures, wherever a schedule takes them and says nothing else; their keys are below."""
    schedules: dict[Name, ScheduleSettings] = Field(default={})


class ScaleSettings(RunKeys):
    """One scale: the values behind the runs and studies.

    Of its keys of runs these are the plain ones. What is so for a run, :class:`sharpest.config.scale.ScaleRuns` says.
    """

    description: str
    """One line for readers."""
    datasets: dict[Name, DatasetSettings]
    """Data set of the paper -> what stands for it."""
    models: dict[str, ModelSettings]
    """Model name in run ids -> architecture."""
    full_batch_examples: PositiveInt
    """Training images of the full-batch runs."""
    adam_epsilon: PositiveFloat = 1e-8
    """Added to the root of the second moment, by Adam, AdamW and RMSProp."""
    seeds: NonNegativeInt | dict[str, NonNegativeInt] = Field(default=0)
    """New seeds of each run, 1001 and up, in place of the paper's: one number, or by the name of a figure or table."""
    paper_seeds: dict[str, PositiveInt] = Field(default={})
    """How many of the paper's seeds of a figure or table are used without new ones, by its name; elsewhere all."""
    notes: dict[str, str] = Field(default={})
    """What a figure or table does not show at this scale, for its notes."""
    runs: dict[str, PositiveInt] = Field(default={})
    """Runs beside those of config/runs.tsv, with their lengths where `epochs` is none; not compared with the paper."""
    studies: dict[str, AnyStudy] = Field(default={})
    """Figures and tables beside those of config/studies.yaml; their keys are below."""
    torch_threads: int = Field(ge=1, le=1024)
    """Threads of each job; part of a run's identity (bits depend on it)."""
    time_limit: PositiveInt
    """Minutes a cluster gives a training or measuring job at first; each further attempt gets as many more."""


class ForRuns(Strict):
    """What is so for some runs alone."""

    runs: str
    """Pattern of run ids, such as lstm-*; it fits one run at least."""
    set: RunKeys
    """Any of the keys of runs below, with the values that they have for these runs."""


class ScaleFile(ScaleSettings):
    """What a file in config/scales may hold; together with the files that it extends, it has every key."""

    extends: str | None = None
    """Scale whose keys hold wherever this file says nothing else."""
    for_runs: tuple[ForRuns, ...] = ()
    """What is so for some runs alone; later entries over earlier ones."""


class ProjectSettings(Strict):
    """config/config.yaml: the page a user edits."""

    scale: str = Field(pattern=NAME)
    """Name of a file in config/scales."""
    device: Literal["cpu", "cuda"] = Field(default="cpu")
    """Where jobs train and measure; cuda asks for one GPU a job."""
    jobs_per_gpu: PositiveInt = Field(default=1)
    """Jobs that share a GPU on one machine, each with its part of the memory; small nets leave most of one idle."""
    seeds: NonNegativeInt | None = None
    """New seeds of each run, 1001 and up, in place of the paper's; 0 = the paper's; none = as scale and studies say."""
    width: Literal["panels", "single", "double"] = Field(default="panels")
    """Of figures: one or two columns of a journal, 3.35 and 6.9 inches; panels = as wide as their panels together."""
    datasets: dict[str, dict[str, Any]] = Field(default={})
    """Changes to the scale's datasets."""
    sources: dict[str, SourceSettings] = Field(default={})
    """Where data files are, by source."""
    substitutes: dict[str, SubstituteSettings] = Field(default={})
    """What stands in for a source, wherever the scale names it."""
