"""What a loss reaches: the measured copy, in full precision, and nothing of the net itself."""

import copy
from collections.abc import Callable
from types import MethodType
from typing import Any

import pytest
import torch
from loops import cross_entropy, examples, probe, smooth
from torch import Tensor, nn
from torch.nn import functional

import sharpest
from sharpest.curvature import Hessian

pytestmark = pytest.mark.core

torch.set_num_threads(1)
NET = smooth()
HALF_PRECISION = ("cpu", torch.bfloat16)


@pytest.fixture(scope="module")
def expected() -> float:
    return sharpest.watch(smooth(), cross_entropy, probe(), tolerance=1e-6).last["lambda_max"]


class Trainer:
    """Holds the net, and computes the loss with it."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        return cross_entropy(self.model, batch)


def of_the_net(model: nn.Module, batch: Any) -> Tensor:
    return cross_entropy(NET, batch)


def with_decay_of_the_net(model: nn.Module, batch: Any) -> Tensor:
    return cross_entropy(model, batch) + 0.5 * sum(value.square().sum() for value in NET.parameters())


def without_gradients(model: nn.Module, batch: Any) -> Tensor:
    with torch.no_grad():
        return cross_entropy(model, batch)


def detached(model: nn.Module, batch: Any) -> Tensor:
    return functional.cross_entropy(model(batch[0]).detach(), batch[1])


def cast(model: nn.Module, batch: Any) -> Tensor:
    return functional.cross_entropy(model(batch[0]).bfloat16().float(), batch[1])


OF_THE_NET = r"parameter 0\.weight of the model itself.*only from the model that it is"
CONSTANT = r"does not depend on the parameters.*without no_grad\(\) or detach\(\)"


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (of_the_net, OF_THE_NET),
        (Trainer(NET).loss, OF_THE_NET),
        (with_decay_of_the_net, OF_THE_NET),
        (without_gradients, CONSTANT),
        (detached, CONSTANT),
        (cast, r"the loss computes in bfloat16.*remove autocast and casts to bfloat16"),
    ],
)
def test_a_loss_that_is_no_function_of_the_measured_copy_is_refused(loss: Any, message: str) -> None:
    """By a monitor, and by the engine."""
    with pytest.raises(ValueError, match=message):
        sharpest.watch(NET, loss, probe())
    if message == OF_THE_NET:
        outputs_only = lambda outputs, targets: loss(lambda _: outputs, (examples()[0], examples()[1]))  # noqa: E731
        with pytest.raises(ValueError, match=r"parameter 0\.weight of the model itself"):
            Hessian.of(NET, outputs_only, [examples()])


def test_decay_within_the_loss_counts_and_autocast_within_it_is_off(expected: float) -> None:
    def loss(model: nn.Module, batch: Any) -> Tensor:
        with torch.autocast(*HALF_PRECISION):
            return cross_entropy(model, batch) + 0.5 * sum(value.square().sum() for value in model.parameters())

    assert sharpest.watch(smooth(), loss, probe(), tolerance=1e-6).last["lambda_max"] == pytest.approx(expected + 1)


def compiled(net: nn.Module) -> None:
    net.forward = torch.compile(net.forward, backend="aot_eager")


def in_half_precision(net: nn.Module) -> None:
    net.forward = torch.autocast(*HALF_PRECISION)(net.forward)


def layer_in_half_precision(net: nn.Module) -> None:
    in_half_precision(net[0])


# what accelerate's Accelerator(mixed_precision="bf16").prepare(net) does
ACCELERATE: dict[str, Any] = {"__name__": "accelerate.utils.operations"}
exec(
    """
import functools

class ConvertOutputsToFp32:
    def __init__(self, forward):
        self.inner = forward
        functools.update_wrapper(self, forward)

    def __call__(self, *args, **kwargs):
        return self.inner(*args, **kwargs).float()

    def __getstate__(self):
        raise TypeError("cannot be copied")

def convert_outputs_to_fp32(forward):
    converting = ConvertOutputsToFp32(forward)
    def convert(*args, **kwargs):
        return converting(*args, **kwargs)
    convert.__wrapped__ = converting
    return convert
""",
    ACCELERATE,
)


def prepared(net: nn.Module) -> None:
    convert = ACCELERATE["convert_outputs_to_fp32"]
    net._original_forward = net.forward
    net.forward = MethodType(convert(torch.autocast(*HALF_PRECISION)(type(net).forward)), net)


def prepared_after_compilation(net: nn.Module) -> None:
    convert = ACCELERATE["convert_outputs_to_fp32"]
    compiled(net)
    net.forward = convert(torch.autocast(*HALF_PRECISION)(net.forward))


@pytest.mark.parametrize(
    "change",
    [
        compiled,
        in_half_precision,
        layer_in_half_precision,
        prepared,
        prepared_after_compilation,
    ],
)
def test_forwards_of_compilers_and_mixed_precision_are_unwrapped(change: Callable[..., None], expected: float) -> None:
    net = smooth()
    change(net)
    before = [vars(layer).get("forward") for layer in net.modules()]
    measured = sharpest.watch(net, cross_entropy, probe(), tolerance=1e-6).last["lambda_max"]
    assert measured == pytest.approx(expected, rel=1e-5)
    assert [vars(layer).get("forward") for layer in net.modules()] == before


def test_a_forward_that_may_change_the_output_is_refused() -> None:
    """Also if it is set during training, and by the engine."""
    net = smooth()
    monitor = sharpest.watch(net, cross_entropy, probe(), every=1)
    forward = net.forward
    net.forward = lambda inputs: 2 * forward(inputs)
    message = "remove the forward that was set on the model, or define it in its class"
    with pytest.raises(ValueError, match=message):
        sharpest.watch(net, cross_entropy, probe())
    with pytest.raises(ValueError, match=message):
        monitor.step()
    with pytest.raises(ValueError, match=message):
        Hessian.of(net, functional.cross_entropy, probe())


def test_a_forward_that_belongs_to_the_copy_is_measured() -> None:
    net, other = smooth(), smooth()
    net.forward = MethodType(lambda self, inputs: 2 * type(self).forward(self, inputs), net)
    doubled = lambda model, batch: functional.cross_entropy(2 * model(batch[0]), batch[1])  # noqa: E731
    expected = sharpest.watch(other, doubled, probe()).last["lambda_max"]
    assert sharpest.watch(net, cross_entropy, probe()).last["lambda_max"] == expected


def test_a_parameter_that_is_used_from_a_list_is_refused() -> None:
    class Keeping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = smooth()
            self.kept = [self.inner[0].weight]

        def forward(self, inputs: Tensor) -> Tensor:
            return self.inner[2]((inputs @ self.kept[0].T).tanh())

    message = r"uses its parameter inner\.0\.weight from another place, such as a list"
    with pytest.raises(ValueError, match=message):
        sharpest.watch(Keeping(), cross_entropy, probe())
    with pytest.raises(ValueError, match=message):
        Hessian.of(Keeping(), functional.cross_entropy, probe())


class Checkpointed(nn.Module):
    """Recomputes a layer in the backward pass."""

    def __init__(self, number: int, reentrant: bool) -> None:
        super().__init__()
        self.inner, self.number, self.reentrant = smooth(), number, reentrant

    def forward(self, inputs: Tensor) -> Tensor:
        for number, layer in enumerate(self.inner):
            if number == self.number:
                inputs = torch.utils.checkpoint.checkpoint(layer, inputs, use_reentrant=self.reentrant)
            else:
                inputs = layer(inputs)
        return inputs


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("number", [0, 2])
def test_reentrant_checkpoints_are_refused(number: int, expected: float) -> None:
    """At the input of the net, too, where autograd silently takes the layer as a constant."""
    with pytest.raises(ValueError, match=r"pass use_reentrant=False to torch\.utils\.checkpoint"):
        sharpest.watch(Checkpointed(number, reentrant=True), cross_entropy, probe())
    net = Checkpointed(number, reentrant=False)
    assert sharpest.watch(net, cross_entropy, probe(), tolerance=1e-6).last["lambda_max"] == pytest.approx(expected)


def test_sparse_embeddings() -> None:
    """Layers are measured; a sparse function has no second derivative."""
    words, labels = torch.randint(5, (8, 3), generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3

    class Bag(nn.Module):
        def __init__(self, sparse: bool) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.embedding = nn.Embedding(5, 3, sparse=sparse)

        def forward(self, words: Tensor) -> Tensor:
            return self.embedding(words).sum(dim=1)

    values = [
        sharpest.watch(Bag(sparse), cross_entropy, [(words, labels)]).last["lambda_max"] for sparse in (False, True)
    ]
    assert values[0] == values[1] > 0

    def loss(model: nn.Module, batch: Any) -> Tensor:
        rows = functional.embedding(batch[0], model.embedding.weight, sparse=True)
        return functional.cross_entropy(rows.sum(dim=1), batch[1])

    with pytest.raises(ValueError, match=r"sparse gradients.*use sparse=False"):
        sharpest.watch(Bag(False), loss, [(words, labels)])


def test_the_engine_refuses_autocast_and_takes_nets_of_half_precision() -> None:
    net = smooth()
    half = copy.deepcopy(net).bfloat16()
    in_half_precision(net)
    with torch.autocast(*HALF_PRECISION), pytest.raises(ValueError, match="the loss computes in bfloat16"):
        Hessian.of(smooth(), functional.cross_entropy, probe())
    batches = [(inputs.bfloat16(), targets) for inputs, targets in probe()]
    assert Hessian.of(half, functional.cross_entropy, batches).gradient.isfinite().all()
