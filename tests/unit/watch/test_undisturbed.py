"""Training is bit for bit the same with and without a monitor."""

import copy
from operator import attrgetter
from typing import Any

import pytest
import torch
from loops import ADAPTIVE, OPTIMIZERS, cross_entropy, examples, perceptron, probe, same, smooth, train
from tiers import fast
from torch import Tensor, nn

import sharpest

pytestmark = pytest.mark.core

torch.set_num_threads(1)  # small examples do not profit from more threads
QUANTITIES = ("lambda_max", "eigenvalues", "trace", "batch_sharpness", "critical")


class Noisy(list[Any]):
    """Batches from a loader that draws random numbers, as shuffling loaders do."""

    def __iter__(self) -> Any:
        return (self[int(place)] for place in torch.randperm(len(self)))


@pytest.mark.filterwarnings("ignore::sharpest.watch.WatchWarning")
@pytest.mark.parametrize("name", fast(OPTIMIZERS, "heavy ball", "adam"))
def test_training_has_the_same_bits(name: str, tmp_path: Any) -> None:
    """With dropout and batch normalisation in training mode, and all quantities measured after each update."""
    net = perceptron()
    alone = train(net, OPTIMIZERS[name](net.parameters()), lambda batch: None)

    net = perceptron()
    optimizer = OPTIMIZERS[name](net.parameters())
    quantities = (*QUANTITIES, "preconditioned") if name in ADAPTIVE else QUANTITIES
    monitor = sharpest.watch(
        net, cross_entropy, probe(), optimizer, every=1, quantities=quantities, mode="inference",
        batches=Noisy(probe((4, 4, 4))), num_batches=2, path=tmp_path / "watch.h5",
    )  # fmt: skip
    watched = train(net, optimizer, monitor.step)
    assert len(monitor.values["step"]) == 7
    measured = ["lambda_max", "trace", "batch_sharpness", "critical", *quantities[5:]]
    assert all((abs(monitor.values[quantity][1:]) > 0).all() for quantity in measured)
    for part, value in alone.items():
        assert same(value, watched[part]), part


def settings() -> dict[str, Any]:
    """What a measurement may switch; torch before 2.9 has one switch for its precision."""
    backends = torch.backends
    precise = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")
    if hasattr(backends, "fp32_precision"):
        switches = {name: attrgetter(f"{name}.fp32_precision")(backends) for name in precise}
        switches |= {"all": backends.fp32_precision, "autocast": torch.is_autocast_enabled("cpu")}
    else:
        switches = {"matmul": backends.cuda.matmul.allow_tf32}
    return switches | {
        "benchmark": backends.cudnn.benchmark,
        "deterministic": backends.cudnn.deterministic,
        "flash": backends.cuda.flash_sdp_enabled(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "threads": torch.get_num_threads(),
    }


@pytest.mark.parametrize("change", ["none", "tf32", "benchmark"])
def test_switches_are_put_back_and_are_off_while_it_is_measured(change: str) -> None:
    seen: list[dict[str, Any]] = []
    original = settings()

    def loss(model: nn.Module, batch: Any) -> Tensor:
        seen.append(settings())
        return cross_entropy(model, batch)

    try:
        if change == "tf32":
            torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = change == "benchmark"
        before = settings()
        sharpest.watch(smooth(), loss, probe())
        assert settings() == before
    finally:
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.benchmark = original["benchmark"]
    assert seen
    assert all(inside.get("cuda.matmul", "ieee") == "ieee" and not inside.get("matmul") for inside in seen)
    assert all((inside["benchmark"], inside["deterministic"]) == (False, True) for inside in seen)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_it_measures_in_any_mode_of_the_loop(around: Any) -> None:
    net, batches = smooth(), probe()
    expected = sharpest.watch(net, cross_entropy, batches).last
    with around():
        before = settings()
        measured = sharpest.watch(net, cross_entropy, batches).last
        assert settings() == before
    assert measured["lambda_max"] == expected["lambda_max"]


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="an older torch takes more to that device")
def test_it_measures_whatever_the_default_device_and_type() -> None:
    """The loss finds the user's tensors on the same device as in training."""
    net, batches, devices = smooth(), probe(), []

    def loss(model: nn.Module, batch: Any) -> Tensor:
        devices.append(torch.zeros(()).device.type)
        return cross_entropy(model, batch)

    quantities = ("eigenvalues", "trace", "batch_sharpness", "critical")
    optimizer = OPTIMIZERS["gradient descent"](net.parameters())
    expected = sharpest.watch(net, loss, batches, optimizer, quantities=quantities).last
    assert set(devices) == {"cpu"}
    devices.clear()
    with torch.device("meta"):
        measured = sharpest.watch(net, loss, batches, optimizer, quantities=quantities).last
    assert set(devices) == {"meta"}
    assert [measured[name] for name in quantities] == [expected[name] for name in quantities]
    torch.set_default_dtype(torch.float64)
    try:
        measured = sharpest.watch(net, loss, batches, optimizer, quantities=quantities).last
    finally:
        torch.set_default_dtype(torch.float32)
    assert measured["eigenvalues"] == pytest.approx(expected["eigenvalues"], rel=1e-5)


def test_an_error_leaves_everything_unchanged() -> None:
    net, state = smooth(), torch.get_rng_state()

    def loss(model: nn.Module, batch: Any) -> Tensor:
        torch.rand(3)
        raise RuntimeError("of the user's")

    before = settings()
    with pytest.raises(RuntimeError, match="of the user's"):
        sharpest.watch(net, loss, probe())
    assert (settings(), torch.equal(torch.get_rng_state(), state)) == (before, True)


@pytest.mark.parametrize("mode", ["current", "inference"])
def test_other_nets_of_the_loss_keep_buffers_and_mode(mode: Any) -> None:
    """A discriminator in training mode counts its forward passes."""
    judge, maker = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).train(), nn.Linear(6, 6)

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return judge(model(batch[0])).square().mean()

    before = copy.deepcopy(judge.state_dict())
    sharpest.watch(maker, loss, [examples()], mode=mode)
    assert same(dict(judge.state_dict()), dict(before))
    assert all(layer.training for layer in judge)
