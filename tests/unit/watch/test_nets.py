"""Nets of all kinds, each compared with a dense Hessian or with an unwrapped copy."""

import copy
import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from loops import cross_entropy, dense_hessian, examples, perceptron, probe, same, smooth, watched_on
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam

import sharpest
from sharpest.curvature import NotDeterministicError, NotTwiceDifferentiableError

pytestmark = pytest.mark.core

torch.set_num_threads(1)


class Transformer(nn.Module):
    """Two layers that read and write words with one shared matrix; named inputs and outputs, as in Hugging Face."""

    def __init__(self, width: int = 4, words: int = 7, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(words, width)
        layer = nn.TransformerEncoderLayer(width, 2, 6, dropout, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, input_ids: Tensor, labels: Tensor) -> SimpleNamespace:
        logits = self.head(self.layers(self.embedding(input_ids)))
        return SimpleNamespace(loss=functional.cross_entropy(logits.flatten(0, 1), labels.flatten()), logits=logits)


def words(count: int, seed: int) -> dict[str, Tensor]:
    tokens = torch.randint(7, (count, 6), generator=torch.Generator().manual_seed(seed))
    return {"input_ids": tokens[:, :-1], "labels": tokens[:, 1:]}


def by_name(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    loss: Tensor = model(**batch).loss
    return loss


def largest(net: nn.Module, loss: Any, batches: list[Any]) -> float:
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return float(torch.linalg.eigvalsh(dense_hessian(net, loss, batches))[-1])


def test_a_transformer() -> None:
    """Its fused attention has no second derivative, which is reported once."""
    net, batches = Transformer(), [words(4, 1), words(3, 2)]
    with pytest.warns(sharpest.watch.WatchWarning, match="math kernel") as caught:
        monitor = watched_on(net, by_name, batches, optimizer=SGD(net.parameters(), lr=0.1), tolerance=1e-5)
    assert len(caught) == 1
    assert monitor.last["lambda_max"] == pytest.approx(largest(net, by_name, batches), rel=1e-5)


def test_words_dropped_in_training_are_refused_and_measured_in_inference_mode() -> None:
    net = Transformer(dropout=0.3)
    with pytest.raises(NotDeterministicError, match=r"layers\.layers\.0\.dropout \(Dropout\).*mode=\"inference\""):
        sharpest.watch(net, by_name, [words(4, 1)])
    with pytest.warns(sharpest.watch.WatchWarning):
        measured = sharpest.watch(net, by_name, [words(4, 1)], mode="inference", tolerance=1e-5).last
    assert net.training
    assert measured["lambda_max"] == pytest.approx(largest(copy.deepcopy(net).eval(), by_name, [words(4, 1)]), rel=1e-4)


class TextCNN(nn.Module):
    """Words to classes by convolutions of widths 2 and 3."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(9, 3)
        self.convolutions = nn.ModuleList([nn.Conv1d(3, 2, width) for width in (2, 3)])
        self.head = nn.Linear(4, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        rows = self.embedding(tokens).transpose(1, 2)
        return self.head(torch.cat([layer(rows).relu().amax(dim=2) for layer in self.convolutions], dim=1))


def test_a_text_cnn_with_frozen_embeddings() -> None:
    net, rng = TextCNN(), torch.Generator().manual_seed(2)
    net.embedding.requires_grad_(False)
    batches = [(torch.randint(9, (6, 7), generator=rng), torch.randint(2, (6,), generator=rng)) for _ in range(2)]
    optimizer = SGD([value for value in net.parameters() if value.requires_grad], lr=0.1)
    quantities = ["lambda_max", "trace", "batch_sharpness", "critical"]
    reading = sharpest.watch(
        net, cross_entropy, batches, optimizer=optimizer, quantities=quantities, tolerance=1e-5
    ).last
    assert reading["lambda_max"] == pytest.approx(largest(net, cross_entropy, batches), rel=1e-4)
    assert reading["batch_sharpness"] > 0
    assert reading["critical"] > 0


class ResNet(nn.Module):
    """A stem and one residual block with batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.block = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU())
        self.head = nn.Linear(3, 3)

    def forward(self, images: Tensor) -> Tensor:
        x = self.norm(self.stem(images)).relu()
        return self.head((x + self.block(x)).mean(dim=(2, 3)))


def test_a_resnet_in_training_mode_is_refused_and_measured_in_inference_mode() -> None:
    net, rng = ResNet(), torch.Generator().manual_seed(2)
    batches = [(torch.randn(8, 1, 6, 6, generator=rng), torch.randint(3, (8,), generator=rng))]
    optimizer = SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        cross_entropy(net, batches[0]).backward()
        optimizer.step()
    message = r'norm \(BatchNorm2d\), block\.1 \(BatchNorm2d\) in training mode; pass mode="inference"'
    with pytest.raises(NotDeterministicError, match=message):
        sharpest.watch(net, cross_entropy, batches, optimizer=optimizer)
    before = copy.deepcopy(net.state_dict())
    measured = sharpest.watch(net, cross_entropy, batches, optimizer=optimizer, mode="inference", tolerance=1e-5).last
    assert same(dict(net.state_dict()), dict(before))
    assert all(layer.training for layer in net.modules())
    assert measured["lambda_max"] == pytest.approx(largest(copy.deepcopy(net).eval(), cross_entropy, batches), rel=1e-4)


def test_the_two_players_of_a_gan() -> None:
    """Each monitor has its own net, loss and optimizer; training is the same bit for bit."""
    finals = [gan(watched) for watched in (False, True)]
    assert same(*finals)


def gan(watched: bool) -> list[Any]:
    torch.manual_seed(0)
    maker = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2))
    judge = nn.Sequential(nn.Linear(2, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.2), nn.Linear(5, 1))
    made_by, judged_by = Adam(maker.parameters(), lr=0.01), SGD(judge.parameters(), lr=0.1, momentum=0.5)

    def of_maker(model: nn.Module, noise: Tensor) -> Tensor:
        return functional.softplus(-judge(model(noise))).mean()

    def of_judge(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        true, noise = batch
        return (functional.softplus(-model(true)) + functional.softplus(model(maker(noise).detach()))).mean()

    monitors = []
    if watched:
        noise, true = torch.ones(4, 3).cumsum(0), torch.ones(4, 2).cumsum(0)
        given = {"at": [2], "mode": "inference"}
        monitors = [
            sharpest.watch(maker, of_maker, [noise], made_by, quantities=["preconditioned"], **given),
            sharpest.watch(judge, of_judge, [(true, noise)], judged_by, **given),
        ]
        with pytest.raises(ValueError, match="trains none of the model's parameters"):
            sharpest.watch(maker, of_maker, [noise], optimizer=judged_by)
    torch.manual_seed(1)
    for _ in range(3):
        noise, true = torch.randn(6, 3), torch.randn(6, 2)
        for optimizer, loss, net, batch in (
            (judged_by, of_judge, judge, (true, noise)),
            (made_by, of_maker, maker, noise),
        ):
            optimizer.zero_grad()
            loss(net, batch).backward()
            optimizer.step()
        for monitor in monitors:
            monitor.step()
    assert all(len(monitor.values["step"]) == 1 for monitor in monitors)
    return [maker.state_dict(), judge.state_dict(), made_by.state_dict(), judged_by.state_dict(), torch.get_rng_state()]


def test_compiled_and_distributed_nets_are_unwrapped() -> None:
    net = smooth()
    expected = sharpest.watch(net, cross_entropy, probe()).last["lambda_max"]
    compiled = torch.compile(net, backend="eager")
    inner = copy.deepcopy(net)
    inner[0] = torch.compile(inner[0], backend="eager")
    for wrapped in (compiled, nn.DataParallel(net), nn.DataParallel(compiled), inner):
        assert sharpest.watch(wrapped, cross_entropy, probe()).last["lambda_max"] == expected


def test_a_net_distributed_over_processes(tmp_path: Any) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        net = smooth()
        expected = sharpest.watch(net, cross_entropy, probe()).last["lambda_max"]
        wrapped = nn.parallel.DistributedDataParallel(net)
        optimizer = SGD(wrapped.parameters(), lr=0.1)
        monitor = sharpest.watch(wrapped, cross_entropy, probe(), optimizer=optimizer)
        assert monitor.last["lambda_max"] == expected
        assert monitor.last["lambda_max_over_edge"] == expected / 20
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
def test_a_sharded_net_is_refused(tmp_path: Any) -> None:
    """By either version of FSDP."""
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        nets = [fsdp.FullyShardedDataParallel(smooth(), device_id=torch.device("cpu"))]
        if hasattr(fsdp, "fully_shard"):  # torch from 2.6
            nets.append(fsdp.fully_shard(smooth(), mesh=torch.distributed.init_device_mesh("cpu", (1,))))
        for net in nets:
            with pytest.raises(ValueError, match=r"the model is sharded by FSDP.*watch that"):
                sharpest.watch(net, cross_entropy, probe())
    finally:
        torch.distributed.destroy_process_group()


@dataclasses.dataclass(frozen=True)
class Examples:
    inputs: Tensor
    labels: Tensor


def test_batches_may_be_dataclasses() -> None:
    """Those of a net of half precision are measured in float32, as tuples are, and weighed by their length."""
    net = smooth().bfloat16()
    batches = [(inputs.bfloat16(), labels) for inputs, labels in probe()]
    loss = lambda model, batch: functional.cross_entropy(model(batch.inputs), batch.labels)  # noqa: E731
    expected = sharpest.watch(net, cross_entropy, batches).last["lambda_max"]
    assert sharpest.watch(net, loss, [Examples(*batch) for batch in batches]).last["lambda_max"] == expected
    with pytest.raises(ValueError, match="probe is a single batch"):
        sharpest.watch(net, loss, Examples(*batches[0]))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_a_net_of_half_precision_is_measured_in_float32(kind: torch.dtype) -> None:
    net = smooth().to(kind)
    batches = [(inputs.to(kind), targets) for inputs, targets in probe()]
    optimizer = Adam(net.parameters(), lr=0.01, eps=1e-4)
    try:
        cross_entropy(net, batches[0]).backward()
    except RuntimeError as error:
        pytest.skip(f"this torch does not train it here: {error}")
    optimizer.step()
    quantities = ["critical", "preconditioned"]
    reading = sharpest.watch(net, cross_entropy, batches, tolerance=1e-5).last
    reading |= sharpest.watch(net, cross_entropy, batches, optimizer, quantities=quantities).last
    plain = [(inputs.float(), targets) for inputs, targets in batches]
    assert reading["lambda_max"] == pytest.approx(largest(copy.deepcopy(net).float(), cross_entropy, plain), rel=1e-5)
    assert reading["critical"] > 0
    assert reading["preconditioned"] > 0
    assert all(value.dtype == kind for value in net.parameters())


def test_a_net_in_float64() -> None:
    net = smooth().double()
    batches = [(inputs.double(), targets) for inputs, targets in probe()]
    reading = sharpest.watch(net, cross_entropy, batches, tolerance=1e-8).last
    assert reading["lambda_max"] == pytest.approx(largest(net, cross_entropy, batches), rel=1e-10)


def test_layers_may_be_unfrozen_during_training() -> None:
    net = smooth()
    net[0].requires_grad_(False)
    monitor = sharpest.watch(net, cross_entropy, probe(), tolerance=1e-5)
    few = monitor.last["lambda_max"]
    net.requires_grad_(True)
    assert monitor.measure()["lambda_max"] == pytest.approx(largest(net, cross_entropy, probe()), rel=1e-5)
    assert few < monitor.last["lambda_max"]


class Remembering(nn.Module):
    """Stores its activations, as a net under inspection does."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = smooth()

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen = self.inner(inputs)
        return self.seen


def test_a_net_that_holds_a_part_of_its_graph() -> None:
    net = Remembering()
    kept = net(examples()[0])
    expected = sharpest.watch(net.inner, cross_entropy, probe()).last["lambda_max"]
    assert sharpest.watch(net, cross_entropy, probe()).last["lambda_max"] == expected
    assert net.seen is kept


class Trainer:
    """Holds an object that cannot be copied."""

    def __init__(self) -> None:
        self.generator = (number for number in range(3))

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        return cross_entropy(model, batch)


def test_a_loss_may_be_a_method_or_a_module() -> None:
    class Module(nn.Module):
        def forward(self, model: nn.Module, batch: Any) -> Tensor:
            return cross_entropy(model, batch)

    expected = sharpest.watch(smooth(), cross_entropy, probe()).last["lambda_max"]
    for loss in (Trainer().loss, Module()):
        assert sharpest.watch(smooth(), loss, probe()).last["lambda_max"] == expected


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, outer: Tensor) -> Tensor:
        return outer * 2


def test_a_custom_operation_without_a_second_derivative() -> None:
    def loss(model: nn.Module, batch: Any) -> Tensor:
        return functional.cross_entropy(Once.apply(model(batch[0])), batch[1])

    with pytest.raises(NotTwiceDifferentiableError, match="not twice differentiable"):
        sharpest.watch(smooth(), loss, probe())


def test_batch_normalisation_by_running_averages_is_a_function() -> None:
    """In inference mode of the loop itself, no setting is needed."""
    net = perceptron().eval()
    assert sharpest.watch(net, cross_entropy, probe()).last["lambda_max"] > 0
