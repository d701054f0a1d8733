"""``Hessian.of``: unmodified modules, against derivatives by their parameters one after the other."""

import copy
import re

import pytest
import torch
from problems import rng
from torch import Tensor, nn
from torch.nn import functional

from sharpest.curvature import Hessian, NotDeterministicError, eigenpairs, hessian
from sharpest.curvature.differentiation import check_deterministic, check_independent

pytestmark = pytest.mark.core


class Tied(nn.Module):
    """Reads and writes words with one shared matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.hidden = nn.Linear(3, 3)
        self.output = nn.Linear(3, 5, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, words: Tensor) -> Tensor:
        return self.output(self.hidden(self.embedding(words)).tanh())


def perceptron() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3))


def prepared(net: nn.Module, seed: int = 0) -> nn.Module:
    """In float64 and inference mode, with weights, biases and running averages that differ from the initial ones."""
    net = net.double().eval()
    with torch.no_grad():
        for value in net.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand(value.shape, generator=rng(seed), dtype=value.dtype) + 0.2)
    return net


def examples(net: nn.Module, count: int = 12) -> tuple[Tensor, Tensor]:
    words = torch.randint(5, (count,), generator=rng(1))
    inputs = words if isinstance(net, Tied) else torch.randn(count, 4, generator=rng(1), dtype=torch.float64)
    return inputs, torch.randint(3, (count,), generator=rng(2))


def batches(net: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Three, of 5, 5 and 2 examples."""
    inputs, targets = examples(net)
    return list(zip(inputs.split(5), targets.split(5), strict=True))


def dense(net: nn.Module) -> Tensor:
    """(p, p), by autograd on the module itself and all examples at once."""
    inputs, targets = examples(net)
    parameters = [value for value in net.parameters() if value.requires_grad]
    gradients = torch.autograd.grad(functional.cross_entropy(net(inputs), targets), parameters, create_graph=True)
    rows = [
        torch.autograd.grad(entry, parameters, retain_graph=True, materialize_grads=True)
        for entry in torch.cat([gradient.flatten() for gradient in gradients])
    ]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


def frozen() -> nn.Module:
    net = prepared(perceptron())
    net[0].weight.requires_grad_(False)
    net[4].bias.requires_grad_(False)
    return net


NETS = {
    "perceptron": lambda: prepared(perceptron()),
    "frozen parameters": frozen,
    "tied parameters": lambda: prepared(Tied()),
}


@pytest.fixture(params=NETS)
def net(request: pytest.FixtureRequest) -> nn.Module:
    return NETS[request.param]()


def test_products_and_blocks_are_those_of_the_dense_hessian(net: nn.Module) -> None:
    """Parameters lie in the order of their names; the loss may be a module, and the batches an iterator."""
    operator, matrix = Hessian.of(net, nn.CrossEntropyLoss(), iter(batches(net))), dense(net)
    assert operator.theta.shape == (len(matrix),)
    vector = torch.randn(len(matrix), generator=rng(3), dtype=torch.float64)
    torch.testing.assert_close(operator.product(vector), matrix @ vector, rtol=1e-10, atol=1e-12)
    trainable = {name: value for name, value in net.named_parameters() if value.requires_grad}
    assert list(operator.parts) == list(trainable)
    for name, part in operator.parts.items():
        assert torch.equal(operator.theta[part], trainable[name].detach().flatten())
        product = operator.block(name).product(vector[part])
        torch.testing.assert_close(product, matrix[part, part] @ vector[part], rtol=1e-10, atol=1e-12)


def test_what_has_no_hessian_is_refused() -> None:
    """An empty batch among others is skipped."""
    net, empty = prepared(perceptron()), (torch.zeros(0, 4).double(), torch.zeros(0, dtype=torch.long))
    with pytest.raises(ValueError, match=re.escape("the loss has the shape (5,); it must be one number")):
        Hessian.of(net, nn.CrossEntropyLoss(reduction="none"), batches(net))
    with pytest.raises(ValueError, match="at least one example"):
        Hessian.of(net, functional.cross_entropy, [empty])
    assert torch.isfinite(Hessian.of(net, functional.cross_entropy, [empty, *batches(net)]).gradient).all()
    net[2].train()
    with pytest.raises(NotDeterministicError, match=re.escape("2 (BatchNorm1d) in training mode; call eval()")):
        Hessian.of(net, functional.cross_entropy, batches(net))
    with pytest.raises(ValueError, match="the module has no trainable parameters; set requires_grad"):
        Hessian.of(net.requires_grad_(False), functional.cross_entropy, batches(net))


@pytest.mark.parametrize("kept_bytes", [2**31, 0])
def test_module_and_operator_do_not_affect_each_other(kept_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether graphs are kept or rebuilt for each product."""
    monkeypatch.setattr(hessian, "KEPT_BYTES_CPU", kept_bytes)
    net = frozen()
    net[3].train()  # a dropout of zero is in training mode on purpose
    net[3].p = 0.0
    before = copy.deepcopy(net)
    operator = Hessian.of(net, functional.cross_entropy, batches(net))
    vector = torch.randn(len(operator.theta), generator=rng(3), dtype=torch.float64)
    product = operator.product(vector)
    eigenpairs(operator, k=2)
    for (name, value), (_, old) in zip(net.state_dict().items(), before.state_dict().items(), strict=True):
        assert torch.equal(value, old), name
    assert all(value.grad is None for value in net.parameters())
    assert [value.requires_grad for value in net.parameters()] == [value.requires_grad for value in before.parameters()]
    assert [layer.training for layer in net.modules()] == [layer.training for layer in before.modules()]

    net.train()
    prepared(net, seed=5).train()
    assert torch.equal(operator.product(vector), product)
    moved = Hessian.of(net.eval(), functional.cross_entropy, batches(net)).product(vector)
    assert not torch.allclose(moved, product, rtol=1e-3)


# --- checks that the loss is deterministic, and that of an example independent of the others


def within(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), layer), nn.Linear(4, 2))


class LeakyNorm(nn.BatchNorm1d):
    """Normalises with moving averages that training mode keeps changing, so each pass changes the next."""

    def forward(self, x: Tensor) -> Tensor:
        super().forward(x)
        return (x - self.running_mean) / (self.running_var + self.eps).sqrt()


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), LeakyNorm(4)])
def test_layers_that_draw_or_drift_are_named_in_training_mode_only(layer: nn.Module) -> None:
    net, inputs = within(layer), torch.randn(8, 4, generator=rng(0))
    message = f"1.1 ({type(layer).__name__}) in training mode; call eval() on the model"
    with pytest.raises(NotDeterministicError, match=re.escape(message)):
        check_deterministic(lambda: net(inputs).square().mean(), net.train())
    check_deterministic(lambda: net(inputs).square().mean(), net.eval())


def test_a_cause_outside_the_layers_is_not_blamed_on_them() -> None:
    """A loss that is sometimes NaN is refused; one that has diverged is not called random."""
    draws, values = rng(0), iter([float("nan"), 1.0])
    with pytest.raises(NotDeterministicError, match="no dropout or batch normalisation is in training mode"):
        check_deterministic(lambda: torch.rand((), generator=draws), nn.Dropout(0.5).eval())
    with pytest.raises(NotDeterministicError):
        check_deterministic(lambda: torch.tensor(next(values)), nn.Identity())
    for value in ("nan", "inf"):
        check_deterministic(lambda value=value: torch.tensor(float(value)), nn.Identity())


def test_normalisation_by_the_batch_is_named_and_that_of_an_example_passes() -> None:
    """Although two evaluations agree."""
    for net, cause in (
        (within(nn.BatchNorm1d(4)).train(), "1.1 (BatchNorm1d) in training mode; call eval()"),
        (within(nn.BatchNorm1d(4, track_running_stats=False)).eval(), "1.1 (BatchNorm1d) has no running averages"),
    ):
        with pytest.raises(NotDeterministicError, match=re.escape(f"depends on the others of its batch: {cause}")):
            check_independent(net)
    for layer in (nn.LayerNorm(4), nn.InstanceNorm1d(4)):
        check_independent(within(layer).train())
    check_independent(within(nn.BatchNorm1d(4)).eval())
