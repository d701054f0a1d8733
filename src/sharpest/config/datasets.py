"""Settings of data sets."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

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
