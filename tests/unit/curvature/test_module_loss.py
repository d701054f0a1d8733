"""``Hessian.of``: unmodified modules, against derivatives by their parameters one after the other."""

import copy
import re

import pytest
import torch
from problems import rng
from torch import Tensor, nn
from torch.nn import functional

from sharpest.curvature import Hessian, NotDeterministicError, eigenpairs, hessian

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


def inputs_of(net: nn.Module, count: int = 12) -> Tensor:
    if isinstance(net, Tied):
        return torch.randint(5, (count,), generator=rng(1))
    return torch.randn(count, 4, generator=rng(1), dtype=torch.float64)


def examples(net: nn.Module, count: int = 12) -> tuple[Tensor, Tensor]:
    return inputs_of(net, count), torch.randint(3, (count,), generator=rng(2))


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


def test_products_are_those_of_the_dense_hessian(net: nn.Module) -> None:
    operator, matrix = Hessian.of(net, functional.cross_entropy, batches(net)), dense(net)
    assert operator.theta.shape == (len(matrix),)
    vector = torch.randn(len(matrix), generator=rng(3), dtype=torch.float64)
    torch.testing.assert_close(operator.product(vector), matrix @ vector, rtol=1e-10, atol=1e-12)


def test_parameters_lie_in_the_order_of_their_names(net: nn.Module) -> None:
    operator = Hessian.of(net, functional.cross_entropy, batches(net))
    trainable = {name: value for name, value in net.named_parameters() if value.requires_grad}
    assert list(operator.parts) == list(trainable)
    for name, part in operator.parts.items():
        assert torch.equal(operator.theta[part], trainable[name].detach().flatten())


def test_a_block_by_the_name_of_a_parameter(net: nn.Module) -> None:
    operator, matrix = Hessian.of(net, functional.cross_entropy, batches(net)), dense(net)
    for name, part in operator.parts.items():
        vector = torch.randn(part.stop - part.start, generator=rng(4), dtype=torch.float64)
        product = operator.block(name).product(vector)
        torch.testing.assert_close(product, matrix[part, part] @ vector, rtol=1e-10, atol=1e-12)


def test_the_loss_may_be_a_module_and_the_batches_an_iterator() -> None:
    net = prepared(perceptron())
    vector = torch.ones(sum(value.numel() for value in net.parameters()), dtype=torch.float64)
    expected = Hessian.of(net, functional.cross_entropy, batches(net)).product(vector)
    assert torch.equal(Hessian.of(net, nn.CrossEntropyLoss(), iter(batches(net))).product(vector), expected)


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


@pytest.mark.parametrize(("number", "layer"), [(2, "BatchNorm1d"), (3, "Dropout")])
def test_layers_in_training_mode_are_named(number: int, layer: str) -> None:
    net = prepared(perceptron())
    net[number].train()
    with pytest.raises(NotDeterministicError, match=re.escape(f"{number} ({layer}) in training mode; call eval()")):
        Hessian.of(net, functional.cross_entropy, batches(net))


def test_a_module_without_trainable_parameters_is_refused() -> None:
    net = prepared(perceptron()).requires_grad_(False)
    with pytest.raises(ValueError, match="the module has no trainable parameters; set requires_grad"):
        Hessian.of(net, functional.cross_entropy, batches(net))


def test_a_loss_for_each_example_is_refused() -> None:
    net = prepared(perceptron())
    with pytest.raises(ValueError, match=re.escape("the loss has the shape (5,); it must be one number")):
        Hessian.of(net, nn.CrossEntropyLoss(reduction="none"), batches(net))


@pytest.mark.parametrize("count", [0, 1])
def test_batches_without_examples(count: int) -> None:
    """An empty batch among others is skipped."""
    net = prepared(perceptron())
    empty = (torch.zeros(0, 4, dtype=torch.float64), torch.zeros(0, dtype=torch.long))
    if count == 0:
        with pytest.raises(ValueError, match="at least one example"):
            Hessian.of(net, functional.cross_entropy, [empty])
    else:
        operator = Hessian.of(net, functional.cross_entropy, [empty, *batches(net)])
        assert torch.isfinite(operator.gradient).all()
