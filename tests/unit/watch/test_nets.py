"""Nets of all kinds, each compared with a dense Hessian or with an unwrapped copy."""

import copy
import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from loops import cross_entropy, dense_hessian, examples, probe, same, smooth, watched_on
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam

import sharpest
from sharpest.curvature import NotDeterministicError

pytestmark = pytest.mark.core

torch.set_num_threads(1)


class Transformer(nn.Module):
    """A layer that reads and writes words with one shared matrix; named inputs and outputs, as in Hugging Face."""

    def __init__(self, width: int = 4, words: int = 7, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(words, width)
        layer = nn.TransformerEncoderLayer(width, 2, 6, dropout, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
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


def drawn(*shape: int, classes: int) -> list[Any]:
    """Two batches of images or features."""
    rng = torch.Generator().manual_seed(2)
    return [(torch.randn(*shape, generator=rng), torch.randint(classes, shape[:1], generator=rng)) for _ in range(2)]


def text_cnn() -> tuple[nn.Module, Any, list[Any]]:
    net, rng = TextCNN(), torch.Generator().manual_seed(2)
    net.embedding.requires_grad_(False)
    words = [torch.randint(9, (6, 7), generator=rng) for _ in range(2)]
    return net, cross_entropy, [(each, torch.randint(2, (6,), generator=rng)) for each in words]


def resnet() -> tuple[nn.Module, Any, list[Any]]:
    net, batches = ResNet(), drawn(8, 1, 6, 6, classes=3)
    net(batches[0][0])  # running averages other than the initial ones
    return net, cross_entropy, batches


def perceptron_in(kind: torch.dtype) -> tuple[nn.Module, Any, list[Any]]:
    return smooth().to(kind), cross_entropy, [(inputs.to(kind), targets) for inputs, targets in probe()]


KINDS: dict[str, Any] = {
    "transformer": lambda: (Transformer(), by_name, [words(4, 1), words(3, 2)]),
    "transformer with dropout": lambda: (Transformer(dropout=0.3), by_name, [words(4, 1)]),
    "text cnn with frozen embeddings": text_cnn,
    "resnet in training mode": resnet,
    "float64": lambda: perceptron_in(torch.float64),
    "bfloat16": lambda: perceptron_in(torch.bfloat16),
    "float16": lambda: perceptron_in(torch.float16),
}
IN_TRAINING_MODE = {
    "transformer with dropout": r"layers\.layers\.0\.dropout \(Dropout\).*mode=\"inference\"",
    "resnet in training mode": r'norm \(BatchNorm2d\), block\.1 \(BatchNorm2d\) in training mode; pass mode="inf',
}


@pytest.mark.filterwarnings("ignore::sharpest.watch.WatchWarning")
@pytest.mark.parametrize("name", KINDS)
def test_a_net_is_measured_as_its_dense_hessian_and_left_as_it_was(name: str) -> None:
    """Half precision is measured in float32; what depends on the mode is refused, and measured in inference mode."""
    net, loss, batches = KINDS[name]()
    mode = "current"
    if name in IN_TRAINING_MODE:
        with pytest.raises(NotDeterministicError, match=IN_TRAINING_MODE[name]):
            sharpest.watch(net, loss, batches)
        mode = "inference"
    before, flags = copy.deepcopy(net.state_dict()), [layer.training for layer in net.modules()]
    optimizer = SGD([value for value in net.parameters() if value.requires_grad], lr=0.1)
    quantities = ["lambda_max", "batch_sharpness", "critical"]
    reading = sharpest.watch(net, loss, batches, optimizer, quantities=quantities, mode=mode, tolerance=1e-5).last
    assert same(dict(net.state_dict()), dict(before))
    assert [layer.training for layer in net.modules()] == flags
    assert math.isfinite(reading["batch_sharpness"])
    assert reading["critical"] > 0
    plain = copy.deepcopy(net).float() if name.endswith("float16") else copy.deepcopy(net)
    plain = plain.eval() if mode == "inference" else plain
    if name.endswith("float16"):
        batches = [(inputs.float(), targets) for inputs, targets in batches]
    assert reading["lambda_max"] == pytest.approx(largest(plain, loss, batches), rel=1e-4)


def test_fused_attention_is_reported_once() -> None:
    """It has no second derivative."""
    net = Transformer()
    with pytest.warns(sharpest.watch.WatchWarning, match="math kernel") as caught:
        watched_on(net, by_name, [words(4, 1)], optimizer=SGD(net.parameters(), lr=0.1))
    assert len(caught) == 1


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


class Remembering(nn.Module):
    """Stores its activations, as a net under inspection does."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.seen = smooth(), None

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen = self.inner(inputs)
        return self.seen


class Trainer(nn.Module):
    """A loss that holds an object that cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = (number for number in range(3))

    def forward(self, model: nn.Module, batch: Any) -> Tensor:
        return cross_entropy(model, tuple(part.to("cpu") for part in batch))


def partly_compiled() -> nn.Module:
    net = smooth()
    net[0] = torch.compile(net[0], backend="eager")
    return net


def test_wrappers_of_nets_and_losses_change_nothing() -> None:
    """A loss may be a module or a method, and may move its batch; the activations that a net holds are kept."""
    expected = sharpest.watch(smooth(), cross_entropy, probe()).last["lambda_max"]
    compiled, net = torch.compile(smooth(), backend="eager"), Remembering()
    kept = net(examples()[0])
    nets = (compiled, nn.DataParallel(smooth()), nn.DataParallel(compiled), partly_compiled(), net)
    cases = [*((each, cross_entropy) for each in nets), (smooth(), Trainer()), (smooth(), Trainer().forward)]
    assert {sharpest.watch(each, loss, probe()).last["lambda_max"] for each, loss in cases} == {expected}
    assert net.seen is kept


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


@pytest.fixture
def one_process(tmp_path: Any) -> Any:
    """A group of processes with one member."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
def test_a_net_distributed_over_processes() -> None:
    expected = sharpest.watch(smooth(), cross_entropy, probe()).last["lambda_max"]
    wrapped = nn.parallel.DistributedDataParallel(smooth())
    monitor = sharpest.watch(wrapped, cross_entropy, probe(), optimizer=SGD(wrapped.parameters(), lr=0.1))
    assert monitor.last["lambda_max"] == expected
    assert monitor.last["lambda_max_over_edge"] == expected / 20


@pytest.mark.usefixtures("one_process")
@pytest.mark.filterwarnings("ignore")
def test_a_sharded_net_is_refused() -> None:
    """By either version of FSDP."""
    fsdp = pytest.importorskip("torch.distributed.fsdp")
    nets = [fsdp.FullyShardedDataParallel(smooth(), device_id=torch.device("cpu"))]
    if hasattr(fsdp, "fully_shard"):  # torch from 2.6
        nets.append(fsdp.fully_shard(smooth(), mesh=torch.distributed.init_device_mesh("cpu", (1,))))
    for net in nets:
        with pytest.raises(ValueError, match=r"the model is sharded by FSDP.*watch that"):
            sharpest.watch(net, cross_entropy, probe())


def test_layers_may_be_unfrozen_during_training() -> None:
    net = smooth()
    net[0].requires_grad_(False)
    monitor = sharpest.watch(net, cross_entropy, probe(), tolerance=1e-5)
    few = monitor.last["lambda_max"]
    net.requires_grad_(True)
    assert monitor.measure()["lambda_max"] == pytest.approx(largest(net, cross_entropy, probe()), rel=1e-5)
    assert few < monitor.last["lambda_max"]
