"""The LSTM, compared with the inventory's numbers and torch's own layers."""

import math

import pytest
import torch
from problems import rng
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sharpest.models.build import build_model
from sharpest.models.lstm import LSTM

SMALL = {"kind": "lstm", "width": 5, "num_layers": 2, "dropout": 0.0}
VOCABULARY = 7


def lstm(vocabulary: int = VOCABULARY, batch_size: int = 3, seed: int = 0, **changes: object) -> LSTM:
    model = build_model({**SMALL, **changes}, (4, vocabulary), vocabulary, seed, batch_size)
    assert isinstance(model, LSTM)
    return model


@pytest.fixture(scope="module")
def full_size() -> LSTM:
    return lstm(10_000, 20, width=200, dropout=0.1)


def words(count: int = 3, time: int = 4, seed: int = 1) -> Tensor:
    return torch.randint(0, VOCABULARY, (count, time), generator=rng(seed))


def test_parameter_counts_are_those_of_the_inventory(full_size: LSTM) -> None:
    count = [sum(value.numel() for value in part.parameters()) for part in full_size.children()]
    assert count == [2_000_000, 2 * 320_800, 0, 2_010_000]
    assert sum(count) == 4_651_600
    assert full_size.dropout.p == 0.1
    assert full_size.state.shape == (2, 2, 20, 200)


def test_initial_weights_are_those_of_keras(full_size: LSTM) -> None:
    """Embedding uniform within 0.05, input weights and classifier Glorot-uniform, recurrent orthogonal, biases zero."""
    sizes = {"embedding": 0.05, "classifier": math.sqrt(6 / (200 + 10_000))}
    sizes |= {f"layers.{number}.inputs": math.sqrt(6 / (200 + 800)) for number in range(2)}
    for name, limit in sizes.items():
        weight = full_size.get_submodule(name).weight.detach()
        assert limit * 0.999 < float(weight.abs().max()) <= limit * (1 + 1e-7)
        assert float(weight.std()) == pytest.approx(limit / math.sqrt(3), rel=0.01)
    for layer in full_size.layers:
        recurrent = layer.recurrent.weight.detach()
        torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(200), rtol=0, atol=1e-5)
    # including the forget gates
    biases = [value for name, value in full_size.named_parameters() if name.endswith("bias")]
    assert len(biases) == 3
    assert not torch.cat(biases).any()


class Reference(nn.Module):
    """The same net from torch's layers, with a zero second bias."""

    def __init__(self, net: LSTM) -> None:
        super().__init__()
        width = net.classifier.in_features
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.layers = nn.LSTM(width, width, len(net.layers), batch_first=True)
        self.classifier = nn.Linear(width, VOCABULARY)
        self.double()
        with torch.no_grad():
            for value in self.layers.parameters():
                value.zero_()
            for ours, theirs in self.pairs(net):
                theirs.copy_(ours)

    def pairs(self, net: LSTM) -> list[tuple[nn.Parameter, nn.Parameter]]:
        """Corresponding parameters of the net and of this reference."""
        own = dict(self.layers.named_parameters())
        pairs = [(net.embedding.weight, self.embedding.weight)]
        for number, layer in enumerate(net.layers):
            pairs.append((layer.inputs.weight, own[f"weight_ih_l{number}"]))
            pairs.append((layer.inputs.bias, own[f"bias_ih_l{number}"]))
            pairs.append((layer.recurrent.weight, own[f"weight_hh_l{number}"]))
        return [*pairs, *zip(net.classifier.parameters(), self.classifier.parameters(), strict=True)]

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, and the state after the window; states are (layers, 2, n, width)."""
        outputs, after = self.layers(self.embedding(inputs), tuple(state.transpose(0, 1).contiguous()))
        return self.classifier(outputs), torch.stack(after, dim=1)


@pytest.fixture
def net() -> LSTM:
    """With weights that saturate no gate, and a bias in each gate."""
    net = lstm().double()
    for value in net.parameters():
        nn.init.normal_(value, std=0.7, generator=rng(4))
    return net


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_outputs_and_gradients_are_those_of_torch(net: LSTM, training: bool) -> None:
    """In training from the carried state, in inference from zero; gradients stop at the start of a window."""
    reference = Reference(net)
    net.train(training)
    state = torch.randn(net.state.shape, generator=rng(5), dtype=torch.float64)
    net.state.copy_(state)
    logits = net(words())
    expected, after = reference(words(), state if training else torch.zeros_like(state))
    torch.testing.assert_close(logits, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(net.state, after if training else state, rtol=1e-12, atol=1e-14)

    targets = words(seed=2).flatten()
    for outputs in (logits, expected):
        cross_entropy(outputs.flatten(0, 1), targets).backward()
    for ours, theirs in reference.pairs(net):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-11, atol=1e-14)


def test_two_windows_in_training_are_one_of_twice_the_length(net: LSTM) -> None:
    """The second starts where the first ended, without a gradient across."""
    long = words(time=8)
    net.train()
    first, second = (net(window) for window in long.chunk(2, dim=1))
    torch.testing.assert_close(torch.cat([first, second], dim=1), net.eval()(long), rtol=1e-12, atol=1e-14)
    (reached,) = torch.autograd.grad(second.sum(), net.embedding.weight)
    only_before = sorted(set(long[:, :4].flatten().tolist()) - set(long[:, 4:].flatten().tolist()))
    assert only_before
    assert not reached[only_before].any()
    assert not net.state.requires_grad


def test_dropout_follows_the_embedding_and_each_layer() -> None:
    """It drops outputs that go up a layer, not the state that goes on in time."""
    net = lstm(dropout=0.4, batch_size=200, width=20).train()
    seen: list[tuple[Tensor, Tensor]] = []
    net.dropout.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    torch.manual_seed(1)
    text = words(200)
    net(text)
    assert len(seen) == 3
    assert torch.equal(seen[0][0], net.embedding(text))
    for number, (before, after) in enumerate(seen):
        dropped = after == 0
        assert float(dropped.float().mean()) == pytest.approx(0.4, abs=0.02)
        torch.testing.assert_close(after[~dropped], before[~dropped] / 0.6)
        if number:
            assert torch.equal(net.state[number - 1, 0], before[:, -1])
