import pytest
import torch
from little_nets import CLASSES, LOSSES, NETS, dense, problem
from torch import Tensor, nn
from torch.func import functional_call, hessian, jacrev
from torch.nn import functional

from sharpest.curvature import EmpiricalFisher, Fisher, GaussNewton, Hessian, eigenpairs, trace


def written_out(module: nn.Module, loss: str, batches: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Gauss-Newton matrix and empirical Fisher matrix in float64, from Jacobians of single examples."""
    names, shapes = zip(*((name, value.shape) for name, value in module.named_parameters()), strict=True)
    theta = torch.cat([value.detach().flatten() for value in module.parameters()])

    def outputs(theta: Tensor, inputs: Tensor) -> Tensor:
        pieces = theta.split([shape.numel() for shape in shapes])
        values = {name: piece.view(shape) for name, shape, piece in zip(names, shapes, pieces, strict=True)}
        return functional_call(module, values, (inputs,))

    gauss_newton = fisher = torch.zeros(len(theta), len(theta), dtype=torch.float64)
    for inputs, targets in batches:
        for x, y in zip(inputs.split(1), targets.split(1), strict=True):
            jacobian = jacrev(lambda theta, x=x: outputs(theta, x)[0])(theta)
            inner = hessian(lambda logits, y=y: LOSSES[loss](logits[None], y))(outputs(theta, x)[0].detach())
            slope = jacrev(lambda theta, x=x, y=y: LOSSES[loss](outputs(theta, x), y))(theta)
            gauss_newton = gauss_newton + jacobian.T @ inner @ jacobian / 7
            fisher = fisher + torch.outer(slope, slope) / 7
    return gauss_newton, fisher


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("net", NETS)
def test_dense_matrices(net: str, loss: str) -> None:
    module, batches = problem(net, loss)
    gauss_newton, fisher = written_out(module, loss, batches)
    single, others = problem(net, loss, torch.float32)
    for kind, expected in ((GaussNewton, gauss_newton), (EmpiricalFisher, fisher), (Fisher, gauss_newton)):
        exact, rounded = kind.of(module, LOSSES[loss], batches), kind.of(single, LOSSES[loss], others)
        largest = expected.abs().max()
        assert float((dense(exact) - expected).abs().max() / largest) < 1e-10
        assert float((dense(rounded).double() - expected).abs().max() / largest) < 1e-5
        torch.testing.assert_close(exact.gradient, Hessian.of(module, LOSSES[loss], batches).gradient)


@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_the_hessian_of_a_linear_net(loss: str) -> None:
    _, batches = problem("mlp", loss)
    net = nn.Linear(16, CLASSES).double()
    expected, actual = (dense(kind.of(net, LOSSES[loss], batches)) for kind in (Hessian, GaussNewton))
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_drawn_targets_approach_the_exact_fisher_matrix(loss: str) -> None:
    module, batches = problem("mlp", loss)
    exact, _ = written_out(module, loss, batches)
    few, many = (dense(Fisher.of(module, LOSSES[loss], batches, num_draws=n, seed=3)) for n in (20, 800))
    errors = [float((each - exact).norm() / exact.norm()) for each in (few, many)]
    assert errors[1] < 0.08
    assert errors[1] < errors[0] / 3  # 0.16 is expected


def test_targets_are_the_same_in_each_product_and_block_and_differ_between_seeds(monkeypatch) -> None:
    module, batches = problem("mlp", "cross-entropy")
    vector = torch.ones(sum(value.numel() for value in module.parameters()), dtype=torch.float64)

    def fisher(seed: int) -> Fisher:
        return Fisher.of(module, functional.cross_entropy, batches, num_draws=2, seed=seed)

    kept = fisher(5)
    monkeypatch.setattr("sharpest.curvature.hessian.KEPT_BYTES_CPU", 0)  # graphs are rebuilt for each product
    rebuilt = fisher(5)
    assert torch.equal(kept.product(vector), rebuilt.product(vector))
    assert torch.equal(rebuilt.product(vector), rebuilt.product(vector))
    assert not torch.equal(rebuilt.product(vector), fisher(6).product(vector))
    part = kept.parts["2.weight"]
    torch.testing.assert_close(dense(kept.block("2.weight")), dense(kept)[part, part])


def test_the_solver_and_the_estimates_take_it() -> None:
    module, batches = problem("mlp", "cross-entropy")
    matrix = GaussNewton.of(module, functional.cross_entropy, batches)
    values = torch.linalg.eigvalsh(dense(matrix))
    assert abs(eigenpairs(matrix, k=1).eigenvalues[0] / float(values[-1]) - 1) < 1e-6
    estimate = trace(matrix, num_products=len(values) * 3)
    assert abs(estimate.value / float(values.sum()) - 1) < 1e-9
    assert float(values[0]) > -1e-12
    first, second = matrix.halves()
    assert len(first.theta) == len(second.theta) == len(values)


def bumpy(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.sin().mean()


@pytest.mark.parametrize(
    ("kind", "loss", "options", "message"),
    [
        (GaussNewton, bumpy, {}, r"^the loss is not convex in the outputs: its Hessian by them has the eigenvalue -"),
        (GaussNewton, lambda outputs, targets: targets.float().mean(), {}, "does not depend on the parameters"),
        (Fisher, bumpy, {"num_draws": 1}, r"needs the distribution of the targets.*give num_draws and draw\(outputs"),
        (Fisher, functional.cross_entropy, {"draw": torch.normal}, "draw is given, but num_draws is not"),
    ],
)
def test_bad_losses(kind: type[GaussNewton], loss: object, options: dict[str, object], message: str) -> None:
    module, batches = problem("mlp", "cross-entropy")
    with pytest.raises(ValueError, match=message):
        kind.of(module, loss, batches, **options)


def test_a_loss_linear_in_the_outputs_has_none() -> None:
    module, batches = problem("mlp", "cross-entropy")
    matrix = GaussNewton.of(module, lambda outputs, targets: outputs.mean(), batches)
    assert not matrix.product(torch.ones_like(matrix.theta)).any()


def test_an_own_likelihood() -> None:
    module, batches = problem("mlp", "squared")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:  # exponential targets, of the rate exp(outputs)
        return (outputs.exp() * targets - outputs).mean()

    def draw(outputs: Tensor, rng: torch.Generator) -> Tensor:
        return -torch.rand(outputs.shape, generator=rng, dtype=outputs.dtype).log() / outputs.exp()

    drawn = dense(Fisher.of(module, loss, batches, num_draws=1_000, draw=draw))
    # E[exp(f) y - 1]^2 = 1: the matrix on the outputs is that of half the squared loss, up to the mean over outputs
    exact = dense(GaussNewton.of(module, functional.mse_loss, batches)) / 2 / CLASSES
    assert float((drawn - exact).norm() / exact.norm()) < 0.1
