import pytest
import torch
from little_nets import dense, problem
from torch import nn
from torch.nn import functional

from sharpest.curvature import GaussNewton, Hessian, blocks, diagonal, eigenpairs
from sharpest.curvature.module_loss import selected

LOSS = functional.cross_entropy


@pytest.fixture(scope="module")
def hessian() -> Hessian:
    return Hessian.of(*_arguments())


def _arguments(**options):
    module, batches = problem("mlp", "cross-entropy")
    return module, LOSS, batches


def test_blocks_by_layer_are_those_of_the_dense_matrix(hessian: Hessian) -> None:
    matrix, parts = dense(hessian), hessian.parts
    found = blocks(hessian, k=2)
    assert list(found) == ["0", "2", "4"]
    for layer, block in found.items():
        assert block.names == [f"{layer}.weight", f"{layer}.bias"]
        place = torch.cat([torch.arange(parts[name].start, parts[name].stop) for name in block.names])
        values = torch.linalg.eigvalsh(matrix[place][:, place])
        expected = values[values.abs().argsort(descending=True)[:2]].sort(descending=True)[0]
        torch.testing.assert_close(torch.from_numpy(block.eigenpairs.eigenvalues), expected, rtol=1e-5, atol=1e-7)
        assert abs(block.trace.value - float(values.sum())) < 4 * block.trace.error + 1e-9
        assert block.trace.error < 0.3 * abs(float(values.sum()))


def test_blocks_of_patterns_need_not_be_adjacent(hessian: Hessian) -> None:
    matrix, parts = dense(hessian), hessian.parts
    block = hessian.block("*.bias")
    place = torch.cat([torch.arange(parts[f"{layer}.bias"].start, parts[f"{layer}.bias"].stop) for layer in (0, 2, 4)])
    torch.testing.assert_close(dense(block), matrix[place][:, place], rtol=0, atol=1e-12)
    found = blocks(hessian, {"ends": ["0.*", "4.*"], "biases": "2.bias"})
    assert [each.names for each in found.values()] == [["0.weight", "0.bias", "4.weight", "4.bias"], ["2.bias"]]
    assert [len(each.names) for each in blocks(hessian, "parameter").values()] == [1] * 6


@pytest.mark.parametrize("kind", [Hessian, GaussNewton])
def test_params_leave_the_others_constant(kind: type[Hessian]) -> None:
    whole, some = kind.of(*_arguments()), kind.of(*_arguments(), params=["2.*", "~*.bias"])
    part = whole.parts["2.weight"]
    assert list(some.parts) == ["2.weight"]
    torch.testing.assert_close(dense(some), dense(whole)[part, part], rtol=0, atol=1e-12)


def test_the_diagonal_is_within_its_errors(hessian: Hessian) -> None:
    expected = dense(hessian).diagonal()
    plain = diagonal(hessian, num_products=100, seed=2)
    helped = diagonal(hessian, num_products=100, seed=2, pairs=eigenpairs(hessian, k=8, tolerance=1e-6))
    for estimate in (plain, helped):
        within = (estimate.values - expected).abs() <= 2 * estimate.errors + 1e-12
        assert float(within.double().mean()) > 0.85  # 0.95 is expected of independent entries
    assert float(helped.errors.norm()) < 0.5 * float(plain.errors.norm())
    shuffled = [diagonal(hessian, num_products=4, seed=seed).values for seed in range(50)]
    spread = torch.stack(shuffled).mean(dim=0) - expected
    assert float(spread.norm()) < 0.3 * float((shuffled[0] - expected).norm())  # 0.14 is expected


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("layers", "^blocks by 'layers' are not known; write 'layer', 'parameter', or patterns by block$"),
        ({"a": "0.*", "b": "*.bias"}, "^blocks a and b overlap: both have 0.bias$"),
        ({"a": "3.*"}, r"^pattern '3.\*' fits no parameter; there are, for instance, \d.\w+, "),
        ({"a": ["0.*", "~0.*"]}, r"^patterns 0.\*, ~0.\* leave no parameter$"),
    ],
)
def test_bad_blocks(hessian: Hessian, by: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blocks(hessian, by)


def test_a_matrix_without_names_or_with_too_few_products(hessian: Hessian) -> None:
    bare = Hessian(lambda theta, x, y: theta.square().sum(), torch.ones(2), [(torch.ones(1), torch.ones(1))])
    with pytest.raises(ValueError, match=r"^the parameters have no names; build the matrix with Hessian.of"):
        blocks(bare)
    with pytest.raises(ValueError, match=r"^num_products 1 is too few for an estimate with an error; take 2 or more$"):
        diagonal(hessian, 1)


def test_selected_keeps_the_order_of_the_names() -> None:
    names = [name for name, _ in nn.Transformer(4, 2, 1, 1, 4).named_parameters()]
    assert selected(names, ["*norm?.*", "~decoder.*"]) == [n for n in names if "encoder.l" in n and ".norm" in n]
    assert selected(names, "~*weight") == [name for name in names if not name.endswith("weight")]
