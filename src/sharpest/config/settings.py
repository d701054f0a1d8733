"""The settings a user can write, each with its type, range and meaning.

Lengths are in epochs or iterations (updates), losses in nats, accuracies in fractions.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from sharpest.config.architectures import ModelSettings
from sharpest.config.run import DatasetSettings, HessianSettings
from sharpest.config.sources import SourceSettings, SubstituteSettings
from sharpest.config.strict import NewSeeds, Strict
from sharpest.config.studies import AnyStudy

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$"
"""Pattern of names that become part of the path of a results file."""
Name = Annotated[str, Field(pattern=NAME)]


class VariantSettings(Strict):
    """How branches with a scaled step are tracked: Fig. 7."""

    num_eigenpairs: PositiveInt
    """Eigenpairs computed and recorded, at least K; the step is scaled along the first, or the first K."""
    refresh_every: PositiveInt
    """Iterations between computations of the eigenpairs."""
    loss_examples: PositiveInt
    """Clean training examples for the loss recorded with the eigenpairs."""


class ScheduleSettings(Strict):
    """When a run is measured, and which measures are taken."""

    points: str | None = None
    """Measurement points, see above; none = only for runs that get points from for_runs."""
    window_epochs: PositiveFloat | None = None
    """Length in epochs of the early window, which figures draw separately."""
    shard_points: PositiveInt | None = None
    """Points that one job measures; none = all. Each shard begins with a cold eigensolve."""
    measures: dict[str, dict[str, Any] | None] = Field(default={})
    """Measures to take, each with the settings that differ from the scale's measures; none = no longer taken."""


class RunKeys(Strict):
    """Settings of runs at a scale."""

    lr_factor: PositiveFloat = 1
    """Multiplies the learning rate of the id."""
    batch_factor: PositiveFloat = 1
    """Multiplies the batch size of the id; not that of full-batch runs."""
    epochs: PositiveInt | None = None
    """End of the run in epochs; none = as in runs.tsv."""
    branch_epoch: NonNegativeInt | None = None
    """Epoch at which a branch leaves its parent; none = the epoch in its id."""
    snapshot_every: PositiveInt = 1
    """Epochs between snapshots."""
    refresh_every: PositiveInt | None = None
    """Iterations between computations of NSGD's directions; none = once per epoch."""
    clip_norm: PositiveFloat | None = None
    """Largest norm of a gradient, to which longer gradients are scaled down; none = no limit."""
    patience: PositiveInt | None = None
    """Plateau rule: epochs without a better validation loss before the learning rate is cut."""
    stop_patience: PositiveInt | None = None
    """Plateau rule: epochs without a better accuracy before training stops."""
    variants: VariantSettings
    hessian: HessianSettings
    measures: dict[str, dict[str, Any]] = Field(default={})
    """Settings of measures, which a schedule can override; their keys are below."""
    schedules: dict[Name, ScheduleSettings] = Field(default={})


class ScaleSettings(RunKeys):
    """One scale: the values behind the runs and studies.

    Its run keys are those for all runs; ``sharpest.config.scale.ScaleRuns`` has the keys of single runs.
    """

    description: str
    """One line for readers."""
    datasets: dict[Name, DatasetSettings]
    """Data set of the paper -> data that represent it."""
    models: dict[str, ModelSettings]
    """Model name in run ids -> architecture."""
    full_batch_examples: PositiveInt
    """Training images of the full-batch runs."""
    adam_epsilon: PositiveFloat = 1e-8
    """Added to the root of the second moment, by Adam, AdamW and RMSProp."""
    seeds: NewSeeds | dict[str, NewSeeds] = Field(default=0)
    """Number of new seeds per run, from 1001 on, instead of the paper's: one number, or one by figure or table."""
    paper_seeds: dict[str, PositiveInt] = Field(default={})
    """How many of the paper's seeds to use if there are no new ones, by figure or table; for others, all."""
    notes: dict[str, str] = Field(default={})
    """What a figure or table does not show at this scale, for its notes."""
    runs: dict[str, PositiveInt] = Field(default={})
    """Runs besides those of config/runs.tsv, with their lengths in epochs, which take precedence over `epochs` outside
    this file's for_runs; not compared with the paper."""
    studies: dict[str, AnyStudy] = Field(default={})
    """Figures and tables instead of those of config/studies.yaml and config/beyond.yaml; their keys are below."""
    torch_threads: int = Field(ge=1, le=1024)
    """Threads of each job; part of a run's identity, since the bits depend on it."""
    time_limit: PositiveInt
    """Minutes that a cluster gives a training or measuring job at first; each further attempt gets as many more."""


class ForRuns(Strict):
    """Keys for some runs only."""

    runs: str
    """Pattern of run ids, such as lstm-*; it must fit at least one run."""
    set: RunKeys
    """Any of the keys of runs below, with their values for these runs."""


class ScaleFile(ScaleSettings):
    """What a file in config/scales may hold; together with the files that it extends, it has every key."""

    extends: str | None = None
    """Scale whose keys apply unless this file sets them."""
    for_runs: tuple[ForRuns, ...] = ()
    """Keys for some runs only; later entries take precedence."""


class ProjectSettings(Strict):
    """config/config.yaml: the file that a user edits."""

    scale: str = Field(pattern=NAME)
    """Name of a file in config/scales."""
    device: Literal["cpu", "cuda"] = Field(default="cpu")
    """Where jobs train and measure; cuda takes one GPU per job."""
    jobs_per_gpu: PositiveInt = Field(default=1)
    """Jobs that share a GPU on one machine, each with its part of the memory; small nets leave most of a GPU idle."""
    seeds: NewSeeds | None = None
    """New seeds per run, from 1001 on, instead of the paper's; 0 = the paper's; none = as the scale and studies say."""
    width: Literal["panels", "single", "double"] = Field(default="panels")
    """Width of figures: one or two columns of a journal, 3.35 or 6.9 inches; panels = as wide as the panels need."""
    datasets: dict[str, dict[str, Any]] = Field(default={})
    """Changes to the scale's datasets."""
    sources: dict[str, SourceSettings] = Field(default={})
    """Where data files are, by source."""
    substitutes: dict[str, SubstituteSettings] = Field(default={})
    """Substitutes for sources, used wherever the scale names the source."""
