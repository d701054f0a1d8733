"""Settings of each architecture."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from sharpest.config.strict import Strict


class Architecture(Strict):
    """Base of the settings of a net."""

    init_scale: PositiveFloat = Field(default=1)
    """Multiplies the initial kernels: the arrays of two or more dimensions."""


class SimpleCnnSettings(Architecture):
    """SimpleCNN (inventory 5.1)."""

    reads: ClassVar[str] = "images"

    kind: Literal["simple_cnn"]
    width: PositiveInt
    """Filters of the first two convolutions."""
    kernel_size: Literal[3, 5]
    """Side of every kernel."""
    padding: Literal["valid", "same"]
    """Padding of the second and fourth convolution."""
    hidden: PositiveInt
    """Units of the dense layer."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""

    @property
    def smallest_image(self) -> int:
        """Side of the smallest images of which a pixel is left for the dense layers."""
        cut = self.kernel_size - 1 if self.padding == "valid" else 0
        return 2 * (2 + cut) + cut


class ResNetSettings(Architecture):
    """Pre-activation ResNet, with or without batch normalisation (inventory 5.2, 5.3)."""

    reads: ClassVar[str] = "images"

    kind: Literal["resnet"]
    blocks_per_stage: PositiveInt
    """Residual blocks in each stage."""
    widths: tuple[PositiveInt, ...] = Field(min_length=1)
    """Channels of each stage."""
    batch_norm: bool = False
    """Batch normalisation before each ReLU."""
    running_momentum: float = Field(default=0.01, gt=0, le=1)
    """Weight of a new batch in the running averages of batch normalisation."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""

    @property
    def smallest_image(self) -> int:
        """Side of the smallest images of which a pixel is left to average."""
        return 2 ** (len(self.widths) - 1)


class VggSettings(Architecture):
    """VGG-11 and smaller variants of it (inventory 5.4)."""

    reads: ClassVar[str] = "images"

    kind: Literal["vgg"]
    stages: tuple[Annotated[tuple[PositiveInt, ...], Field(min_length=1)], ...] = Field(min_length=1)
    """Channels of the 3x3 convolutions of each stage."""
    num_pools: PositiveInt
    """Number of stages, from the first on, that end in 2x2 pooling."""
    hidden: PositiveInt
    """Units of both dense layers."""
    dropout: float = Field(ge=0, lt=1)
    """Share of inputs dropped before each hidden dense layer."""
    batch_norm: bool
    """Batch normalisation of the image, after each convolution, and after each hidden dense layer."""
    running_momentum: float = Field(default=0.01, gt=0, le=1)
    """Weight of a new batch in the running averages of batch normalisation."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""

    @property
    def smallest_image(self) -> int:
        """Side of the smallest images of which a pixel is left for the dense layers."""
        return 2**self.num_pools


class FcnSettings(Architecture):
    """Fully connected net on flattened images."""

    reads: ClassVar[str] = "images"
    smallest_image: ClassVar[int] = 1

    kind: Literal["fcn"]
    widths: tuple[PositiveInt, ...]
    """Units of each hidden layer; an empty list = a linear net."""
    activation: Literal["relu", "tanh"]
    """Activation of the hidden layers."""
    output_scale: NonNegativeFloat = Field(default=1)
    """Multiplies the initial weights of the last layer; 0 = all outputs start at zero."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""


class TextCnnSettings(Architecture):
    """Embedding, one convolution over words, max pooling over the review, dense layers (inventory 5.6)."""

    reads: ClassVar[str] = "reviews"

    kind: Literal["text_cnn"]
    embedding: PositiveInt
    """Units of the embedding."""
    filters: PositiveInt
    """Filters of the convolution over three words."""
    hidden: PositiveInt
    """Units of the dense layer."""
    dropout: float = Field(ge=0, lt=1)
    """Share of units dropped after the embedding and after the dense layer."""


class LstmSettings(Architecture):
    """Language model of an embedding, LSTM layers and a softmax over the vocabulary (inventory 5.5)."""

    reads: ClassVar[str] = "tokens"

    kind: Literal["lstm"]
    width: PositiveInt
    """Units of the embedding and of each layer."""
    num_layers: PositiveInt
    """Number of LSTM layers."""
    dropout: float = Field(ge=0, lt=1)
    """Share of units dropped after the embedding and after each layer."""


class OwnSettings(Architecture):
    """Your own net (docs/your-own.md)."""

    reads: ClassVar[str] = "images"
    smallest_image: ClassVar[int] = 1

    kind: Literal["own"]
    net: str = Field(pattern=r"^[a-z]\w*$")
    """Name of its file in src/sharpest/models, without .py."""
    options: dict[str, Any] = Field(default={})
    """Arguments of its class besides the image shape and the number of classes."""
    image_size: PositiveInt | None = None
    """Side in pixels to which images are resized; none = not resized."""


class ImportedNetSettings(Architecture):
    """Your own net and loss, for imported checkpoints (docs/import.md)."""

    reads: ClassVar[str] = "imported"

    kind: Literal["imported"]
    net: str
    """module:name of the function that returns the net."""
    loss: str
    """module:name of ``loss(model, batch)``, the mean over the batch."""


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
