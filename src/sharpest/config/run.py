"""Everything that the training of one run depends on, first its data set."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from sharpest.config.strict import Strict


class ImageSettings(Strict):
    """Images with classes (inventory 1.1)."""

    unit: ClassVar[str] = "examples"

    kind: Literal["images"]
    source: str
    """Name of the data source that is read; see sharpest.config.sources."""
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

    @property
    def num_train(self) -> int:
        """Training examples that can be drawn."""
        return self.train

    def steps_per_epoch(self, batch_size: int) -> int:
        """Updates in one epoch (inventory 1.3)."""
        return max(1, self.train // batch_size)


class TokenSettings(Strict):
    """A text in windows of words, each predicting the next word (inventory 1.1)."""

    unit: ClassVar[str] = "words"

    kind: Literal["tokens"]
    source: str
    """Name of the data source that is read; see sharpest.config.sources."""
    train: PositiveInt
    """Training words, the first of the text."""
    val: PositiveInt
    """Validation words, the first of their text."""
    test: PositiveInt
    """Test words, the first of their text."""
    window: PositiveInt
    """Words in a window; gradients flow through all of them."""
    vocabulary: int = Field(ge=2)
    """Number of word types, the most frequent ones; if there are more, the last one stands for all others."""

    @property
    def num_train(self) -> int:
        """Training windows that can be drawn."""
        return (self.train - 1) // self.window

    def steps_per_epoch(self, batch_size: int) -> int:
        """Updates in one epoch: the text is cut into as many parallel streams as the batch has (inventory 1.3)."""
        return max(1, (self.train // batch_size - 1) // self.window)


class ReviewSettings(Strict):
    """Reviews of words, each with a class (inventory 1.1)."""

    unit: ClassVar[str] = "reviews"

    kind: Literal["reviews"]
    source: str
    """Name of the data source that is read; see sharpest.config.sources."""
    train: PositiveInt
    """Training reviews, the first of the seed's permutation."""
    val: PositiveInt
    """Validation reviews, the last of the permutation."""
    test: PositiveInt
    """Test reviews, the first of the test set."""
    length: int = Field(ge=3)
    """Words of each review: its last ones, padded in front."""
    vocabulary: int = Field(ge=4)
    """Number of distinct word ids; rarer words become the unknown word."""

    @property
    def num_train(self) -> int:
        """Training reviews that can be drawn."""
        return self.train

    def steps_per_epoch(self, batch_size: int) -> int:
        """Updates in one epoch (inventory 1.3)."""
        return max(1, self.train // batch_size)


class ImportedSettings(Strict):
    """Your own batches, for imported checkpoints (docs/import.md)."""

    unit: ClassVar[str] = "examples"
    # no validation or test examples
    val: ClassVar[int] = 0
    test: ClassVar[int] = 0

    kind: Literal["imported"]
    source: Literal["imported"]
    """Always imported: these data are read from your own code."""
    batches: str
    """module:name of the batches, or of the function that returns them."""
    train: PositiveInt
    """Examples in the batches."""
    epoch: PositiveInt | None = None
    """Updates in one epoch of the training that wrote the checkpoints; none = one pass over the batches."""

    @property
    def num_train(self) -> int:
        """Training examples that can be drawn."""
        return self.train

    def steps_per_epoch(self, batch_size: int) -> int:
        """Updates in one epoch."""
        return self.epoch or max(1, self.train // batch_size)


DatasetSettings = Annotated[
    ImageSettings | TokenSettings | ReviewSettings | ImportedSettings, Field(discriminator="kind")
]


def targets_of(dataset: ImageSettings | TokenSettings | ReviewSettings | ImportedSettings, count: int) -> int:
    """Number of forward passes for ``count`` examples, or words of a text; a window of words takes one."""
    return count // dataset.window if isinstance(dataset, TokenSettings) else count


class HessianSettings(Strict):
    """The Hessian that is measured (inventory 1.4)."""

    examples: PositiveInt
    """N, the number of training examples (of a text, windows) behind each Hessian."""
    resample: bool
    """Draw new augmented examples at each measurement; false = use the first N, clean."""
    chunk_size: PositiveInt
    """Examples processed on the device at once; no effect on results."""
    tolerance: float = Field(ge=1e-7, lt=1)
    """Largest residual |Hv - lambda v| / |lambda_1|; rounding of float32 allows none below the minimum."""
    max_products: PositiveInt
    """Hessian-vector products after which the eigensolver gives up."""


class NudgeSettings(Strict):
    """A step that is scaled along the top K directions: Nudged SGD (inventory 1.6), and the variants of Fig. 7."""

    gamma: float = Field(ge=0)
    """Scale of the step along the top directions."""
    correction: Literal["v", "g", "both"] = "v"
    """What is scaled: the step (v), the gradient before it enters the velocity (g), or both."""
    rest: float = Field(default=1, ge=0)
    """Scale of the rest of the step; 0 = the step follows only the top directions."""
    fixed: bool = False
    """Whether the directions at the start are used throughout."""
    num_directions: PositiveInt
    """K, number of directions along which the step is scaled."""
    num_eigenpairs: PositiveInt
    """Eigenpairs computed; the first K in signed order are used."""
    refresh_every: PositiveInt | None
    """Iterations between computations of the directions; none = at the start of each epoch."""
    keep_vectors: bool
    """Whether all eigenvectors are kept with the run, so that measurements need not recompute them."""
    loss_examples: PositiveInt | None
    """Clean training examples for the loss recorded with the directions; none = no loss."""
    hessian: HessianSettings


class BranchSettings(Strict):
    """Where a branch leaves its parent."""

    parent: str
    """Id of the run whose snapshot it starts from."""
    epoch: int = Field(ge=0)
    """Epoch of the parent at whose end the branch starts."""
    batch_size: PositiveInt
    """Batch size of the parent; a branch with another one continues at the same place in the order of examples."""
    lr_factor: PositiveFloat
    """Multiplies the learning rate at the branch point."""


class RunSettings(Strict):
    """Everything that the training of one run depends on; stored with the run as the attribute ``config``."""

    run: str
    dataset_name: str
    dataset: DatasetSettings
    model: dict[str, Any]
    """Settings of one architecture, checked by the class of its ``kind``."""
    lr: PositiveFloat
    batch_size: PositiveInt
    full_batch: bool
    """Whether every update sees all of the first ``batch_size`` training examples, without augmentation."""
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop"]
    """Rule of the update; sgd also for steps scaled along directions (NSGD)."""
    momentum: float = Field(ge=0, lt=1)
    nesterov: bool
    """Whether the momentum is Nesterov's, whose step looks ahead along the velocity; else it is the heavy ball's."""
    beta1: float = Field(ge=0, lt=1)
    """Decay of Adam's first moment; 0 for others."""
    beta2: float = Field(ge=0, lt=1)
    """Decay of the second moment of Adam and RMSProp; 0 for others."""
    epsilon: float = Field(ge=0)
    """Added to the root of the second moment; 0 for others."""
    weight_decay: float = Field(ge=0)
    """Decoupled decay c of AdamW, by which an update shrinks the parameters to 1 - eta c; 0 for others."""
    loss: Literal["cross_entropy", "squared"]
    """Mean over examples (in texts, over words); squared = half the squared distance of logits and one-hot target."""
    l2: float = Field(ge=0)
    """Adds l2 * sum(w^2) over kernels, without a factor 1/2 (inventory 1.2)."""
    clip_norm: PositiveFloat | None
    """Largest norm of a gradient; longer gradients are scaled down to it."""
    nudge: NudgeSettings | None
    branch: BranchSettings | None
    rule: Literal["const", "plat"]
    patience: PositiveInt | None
    stop_patience: PositiveInt | None
    seed: int
    epochs: PositiveInt
    """End of the run in epochs; of a branch, counted from the start of its parent."""
    snapshot_every: PositiveInt
    torch_threads: PositiveInt

    @model_validator(mode="after")
    def _check_full_batch(self) -> RunSettings:
        augmented = not isinstance(self.dataset, ImageSettings) or self.dataset.flip or self.dataset.shift > 0
        if self.full_batch and augmented:
            raise ValueError(f"{self.run}: a full batch is the same at every update; use images without augmentation")
        return self

    @model_validator(mode="after")
    def _check_optimizer(self) -> RunSettings:
        if self.is_adaptive and (self.nudge is not None or self.momentum):
            raise ValueError(f"{self.run}: momentum and steps scaled along directions belong to SGD")
        return self

    @property
    def is_imported(self) -> bool:
        """Whether the run was trained elsewhere: it has only its checkpoints, and nothing can be replayed."""
        return self.dataset.kind == "imported"

    @property
    def is_adaptive(self) -> bool:
        """Whether a second moment scales each coordinate of the step: Adam, AdamW, RMSProp."""
        return self.optimizer != "sgd"

    @property
    def has_velocity(self) -> bool:
        """Whether a state carries momentum's velocity or Adam's first moment."""
        return self.momentum > 0 or self.optimizer in ("adam", "adamw")

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one epoch; a full-batch run counts epochs of the whole training set too (inventory, Fig. 3)."""
        return self.dataset.steps_per_epoch(self.batch_size)

    @property
    def start(self) -> int:
        """Updates before the run; for a branch, those of its trunk, counted at the branch's own batch size."""
        return self.branch.epoch * self.steps_per_epoch if self.branch else 0

    @property
    def branch_point(self) -> int:
        """Updates of the parent before the branch, counted at the parent's batch size."""
        return self.branch.epoch * self.dataset.steps_per_epoch(self.branch.batch_size) if self.branch else 0

    @property
    def num_iterations(self) -> int:
        """Updates at the planned end of the run."""
        return self.epochs * self.steps_per_epoch
