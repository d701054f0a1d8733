import copy
import re
from typing import Any

import pytest
import torch
from little_nets import NETS, problem
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from sharpest.curvature import Hessian, NotTwiceDifferentiableError, eigenpairs
from sharpest.curvature.module_loss import ModuleLoss

WORDS, WIDTH, HEADS = 20, 16, 2


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project, self.join = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.dense = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 32), nn.GELU(), nn.Linear(32, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        parts = self.project(x).view(*x.shape[:2], 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.join(attended.transpose(1, 2).flatten(2))
        return x + self.dense(x)


class LittleTransformer(nn.Module):
    def __init__(self, checkpointed: bool = False, half: bool = False) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WORDS)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.checkpointed, self.half_precision = checkpointed, half

    def forward(self, words: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half_precision):
            x = self.embed(words)
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=True) if self.checkpointed else block(x)
            return self.head(x).float() if self.half_precision else self.head(x)


def loss_of(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())


@pytest.fixture(scope="module")
def transformer() -> tuple[nn.Module, list[tuple[Tensor, Tensor]], float]:
    """A transformer, two batches, and the exact largest eigenvalue."""
    torch.manual_seed(0)
    net, words = LittleTransformer(), torch.randint(WORDS, (8, 9))
    batches = [(words[:6, :-1], words[:6, 1:]), (words[6:, :-1], words[6:, 1:])]
    with sdpa_kernel(SDPBackend.MATH):
        pairs = eigenpairs(Hessian.of(copy.deepcopy(net).double(), loss_of, batches), k=1, tolerance=1e-6)
    return net, batches, float(pairs.eigenvalues[0])


COMPILED = pytest.param("compiled", {}, r"compile", marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("way", "options", "reason"),
    [
        ("fused", {}, r"has only a first derivative"),
        ("checkpointed", {"checkpointed": True}, r"a reentrant checkpoint hides gradients"),
        ("half", {"half": True}, r"the loss computes in bfloat16"),
        COMPILED,
    ],
)
def test_a_net_without_second_derivatives(transformer: Any, way: str, options: Any, reason: str) -> None:
    net, batches, exact = transformer
    changed: Any = LittleTransformer(**options)
    changed.load_state_dict(net.state_dict())
    if way == "compiled":
        changed = torch.compile(changed)
    with pytest.raises((NotTwiceDifferentiableError, ValueError), match=reason):
        eigenpairs(Hessian.of(changed, loss_of, batches), k=1)
    hessian = Hessian.of(changed, loss_of, batches, product="auto")
    assert hessian.method == "central"
    assert re.search(reason, hessian.reason)
    pairs = eigenpairs(hessian, k=1)
    error = abs(float(pairs.eigenvalues[0]) - exact) / exact
    assert error <= pairs.residuals[0]
    if way == "half":
        assert not pairs.converged[0]
        assert error < 0.1
    else:
        assert pairs.converged[0]
        assert error < 1e-4


@pytest.mark.parametrize(("net", "draws"), [("gru", 10), ("mlp", 10)])
def test_the_true_value_lies_within_the_residual(net: str, draws: int) -> None:
    outside = 0
    for seed in range(draws):
        torch.manual_seed(seed)
        module, inputs = NETS[net](), torch.randn(24, 16)
        batches = [(inputs, torch.randint(3, (24,)))]
        pairs = eigenpairs(Hessian.of(module, functional.cross_entropy, batches, product="central"), k=1, seed=seed)
        batches = [(inputs.double(), batches[0][1])]
        exact = eigenpairs(Hessian.of(module.double(), functional.cross_entropy, batches), k=1, tolerance=1e-6)
        value = float(pairs.eigenvalues[0])
        outside += abs(value - exact.eigenvalues[0]) > pairs.residuals[0] * abs(value)
    assert outside == 0


def test_products_and_gradients_per_product(monkeypatch: pytest.MonkeyPatch) -> None:
    module, batches = problem("gru", "cross-entropy", torch.float32)
    exact, hessian = (Hessian.of(module, functional.cross_entropy, batches, product=p) for p in ("exact", "central"))
    torch.testing.assert_close(hessian.gradient, exact.gradient)
    vector = torch.randn(len(hessian.theta), generator=torch.Generator().manual_seed(1))
    expected = exact.product(vector)
    actual, bound = hessian.product(vector), hessian.product_error(vector)
    assert float((actual - expected).norm()) <= bound < 1e-3 * float(expected.norm())
    torch.testing.assert_close(hessian.product(3 * vector), 3 * actual, rtol=1e-3, atol=1e-5)
    assert not hessian.product(torch.zeros_like(vector)).any()
    part = hessian.block("last.*")
    assert part.method == "central"
    torch.testing.assert_close(
        part.product(vector[-12:]), exact.block("last.*").product(vector[-12:]), rtol=1e-2, atol=1e-4
    )
    calls = []
    slope = ModuleLoss.slope
    monkeypatch.setattr(ModuleLoss, "slope", lambda *arguments: calls.append(1) or slope(*arguments))
    for _ in range(5):
        hessian.product(vector)
    assert len(calls) == 5 * 2 * len(batches)


def test_auto_takes_exact_products_where_it_can() -> None:
    module, batches = problem("mlp", "cross-entropy")
    hessian = Hessian.of(module, functional.cross_entropy, batches, product="auto")
    assert (hessian.method, hessian.reason) == ("exact", "the loss has second derivatives")
    assert hessian.product_error(torch.ones_like(hessian.theta)) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"product": "centred"}, "^product is 'centred'; give one of exact, central, auto$"),
        ({"product": "central", "cuda_graphs": True}, "^central differences keep no graphs; leave out cuda_graphs$"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    module, batches = problem("mlp", "cross-entropy")
    with pytest.raises(ValueError, match=message):
        Hessian.of(module, functional.cross_entropy, batches, **options)
