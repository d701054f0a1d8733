"""Curvature matrices that are products of first derivatives of the outputs: Gauss-Newton and Fisher.

Letters: n examples, J the derivative of the outputs by theta, A a matrix on the outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from sharpest.curvature.differentiation import differentiate
from sharpest.curvature.hessian import Chunk, Curvature, with_examples
from sharpest.curvature.lanczos import largest_eigenpairs
from sharpest.curvature.module_loss import ModuleLoss
from sharpest.curvature.operators import Seed
from sharpest.curvature.second_order import SecondOrder

Outputs = Callable[[Tensor, Any], Tensor]
"""``outputs(theta, inputs)``, one row per example."""
OutputLoss = Callable[[Tensor, Any], Tensor]
"""``loss(outputs, targets)``, the mean over the examples given."""

_CONVEX = 1e-4  # smallest eigenvalue of a convex loss, relative to the largest: rounding of float32
_MOST_PRODUCTS = 40  # of the loss alone, to look for negative eigenvalues


@dataclass(frozen=True)
class _Graph:
    """What one chunk's product differentiates.

    Attributes:
        outputs: With their graph.
        leaf: The outputs without it, by which the loss is differentiated.
        slope: Gradient of the chunk's share of the loss by ``leaf``, with its graph.
        dual, pulled: ``pulled = J' dual`` with its graph, which is linear in ``dual``: its derivative by it is J.
        factors: (m, *outputs); the matrix on the outputs of an example is the sum of d d' over its m factors d. None:
            it is the Hessian of the loss.
    """

    outputs: Tensor
    leaf: Tensor
    slope: Tensor
    dual: Tensor
    pulled: Tensor
    factors: Tensor | None


class GaussNewton(Curvature):
    """The generalised Gauss-Newton matrix of the mean loss: J' A J, with A the Hessian of the loss by the outputs.

    It is the Hessian without the second derivatives of the net, and has no negative eigenvalues. For losses that are
    linear in the outputs' log-probabilities, such as the cross-entropy, it is the Fisher matrix.

    Args:
        outputs: ``outputs(theta, inputs)``, one row per example.
        loss: ``loss(outputs, targets)``, the mean over the examples given; convex in the outputs.
        theta, chunks, parts, cuda_graphs: See ``Curvature``.

    Raises:
        ValueError: If the loss is not convex in the outputs of the first chunk, the outputs do not depend on theta, or
            the loss does not depend on the outputs.
        NotTwiceDifferentiableError: If an operation of the net or of the loss has only a first derivative.

    Source: Schraudolph (2002); Martens (2020).

    >>> import torch
    >>> from sharpest.curvature import GaussNewton, Hessian
    >>> net, loss = torch.nn.Linear(2, 1), torch.nn.functional.mse_loss
    >>> batches = [(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 1))]
    >>> GaussNewton.of(net, loss, batches).product(torch.ones(3)), Hessian.of(net, loss, batches).product(torch.ones(3))
    (tensor([2., 6., 5.]), tensor([2., 6., 5.]))
    """

    def __init__(
        self,
        outputs: Outputs,
        loss: OutputLoss,
        theta: Tensor,
        chunks: Iterable[Chunk],
        parts: Mapping[str, slice] | None = None,
        cuda_graphs: bool = False,
    ) -> None:
        self._outputs, self._loss = outputs, loss
        super().__init__(theta, chunks, parts, cuda_graphs)

    @classmethod
    def of(
        cls,
        module: nn.Module,
        loss: OutputLoss,
        batches: Iterable[Chunk],
        cuda_graphs: bool = False,
        params: str | Sequence[str] = "*",
        **options: Any,
    ) -> Self:
        """The matrix of a module's loss; arguments and errors as for ``Hessian.of``, and options of the class."""
        chunks, function = with_examples(batches), ModuleLoss(module, loss, params)
        function.check(module, *chunks[0])
        return cls(
            function.outputs, loss, function.theta, chunks, parts=function.parts, cuda_graphs=cuda_graphs, **options
        )

    def _graph(self, number: int) -> _Graph:
        inputs, targets = self._chunks[number]
        with SecondOrder():
            outputs = self._outputs(self._theta, inputs)
            if not outputs.requires_grad:
                raise ValueError("the outputs do not depend on theta: build them without no_grad() or detach()")
            leaf = outputs.detach().requires_grad_()
            share = self._loss(leaf, targets) * (len(targets) / self._num_examples)
        if not share.requires_grad:
            raise ValueError("the loss does not depend on the outputs: compute it from what it is given")
        slope = differentiate(share, leaf, create_graph=True)
        dual = torch.zeros_like(leaf, requires_grad=True)
        pulled = differentiate(outputs, self._theta, dual, create_graph=True)
        return _Graph(outputs, leaf, slope, dual, pulled, self._factors(number, leaf, slope))

    def _factors(self, number: int, leaf: Tensor, slope: Tensor) -> Tensor | None:
        """``_Graph.factors`` of a chunk."""
        return None

    def _options(self) -> dict[str, Any]:
        """Arguments of the class itself."""
        return {}

    def _applied(self, graph: _Graph, vector: Tensor, keep: bool) -> Tensor:
        pushed = differentiate(graph.pulled, graph.dual, vector, retain_graph=True)
        return differentiate(graph.outputs, self._theta, _on_outputs(graph, pushed), retain_graph=keep)

    def _gradient(self, graph: _Graph) -> Tensor:
        return differentiate(graph.outputs, self._theta, graph.slope.detach(), retain_graph=True)

    def _check(self, graph: _Graph) -> None:
        if graph.factors is not None:
            return

        def product(vector: Tensor) -> Tensor:
            return _on_outputs(graph, vector.view_as(graph.leaf)).flatten()

        rng, like = torch.Generator().manual_seed(0), graph.leaf.detach().flatten()
        least, most = (
            float(largest_eigenpairs(product, like, 1, 1e-3, _MOST_PRODUCTS, rng, [], end).eigenvalues[0])
            for end in ("smallest", "magnitude")
        )
        if least < -_CONVEX * abs(most):
            raise ValueError(
                f"the loss is not convex in the outputs: its Hessian by them has the eigenvalue {least:.2g}; "
                "take a convex loss, such as cross_entropy or mse_loss, or the Hessian"
            )

    def _moved(
        self,
        theta: Tensor,
        chunks: Iterable[Chunk],
        whole: Callable[[Tensor], Tensor],
        parts: Mapping[str, slice] | None = None,
    ) -> Self:
        def outputs(part: Tensor, inputs: Any) -> Tensor:
            return self._outputs(whole(part), inputs)

        return type(self)(outputs, self._loss, theta, chunks, parts, **self._options())


class EmpiricalFisher(GaussNewton):
    """The second moment of the gradients of single examples, (1/n) sum_i g_i g_i', at the targets of the data.

    Arguments and errors are those of ``GaussNewton``; the loss need not be convex. Examples are the rows of the
    outputs; the loss must be a mean over them.

    Source: Kunstner, Balles and Hennig (2019), who say how it differs from the Fisher matrix.

    >>> import torch
    >>> from sharpest.curvature import EmpiricalFisher
    >>> net = torch.nn.Linear(1, 1, bias=False)
    >>> torch.nn.init.ones_(net.weight).numel()
    1
    >>> batches = [(torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1))]  # gradients 2 x^2: 2 and 18
    >>> EmpiricalFisher.of(net, torch.nn.functional.mse_loss, batches).product(torch.ones(1)).round()
    tensor([164.])
    """

    def _factors(self, number: int, leaf: Tensor, slope: Tensor) -> Tensor | None:
        return slope.detach()[None] * self._num_examples**0.5


Draw = Callable[[Tensor, torch.Generator], Any]
"""``draw(outputs, generator)``: targets from the distribution that the outputs describe."""


class Fisher(GaussNewton):
    """The Fisher matrix: the second moment of the gradients of examples whose targets the net itself draws.

    Args:
        outputs, loss, theta, chunks, parts, cuda_graphs: See ``GaussNewton``; the loss is a negative log-likelihood.
        num_draws: Targets drawn per example. None: the mean over all targets, exact, for ``cross_entropy`` and
            ``mse_loss`` of ``torch.nn.functional`` or ``torch.nn``, where it equals the Gauss-Newton matrix.
        draw: ``draw(outputs, generator)``; by default classes for the cross-entropy, and normal targets of the variance
            that makes ``mse_loss`` the negative log-likelihood.
        seed: Seed of the targets.

    Raises:
        ValueError: If there is no ``draw`` for the loss, or as for ``GaussNewton``.

    Source: Martens (2020); Kunstner, Balles and Hennig (2019).

    >>> import torch
    >>> from sharpest.curvature import Fisher
    >>> net = torch.nn.Linear(2, 1)
    >>> batches = [(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 1))]
    >>> Fisher.of(net, torch.nn.functional.mse_loss, batches).product(torch.ones(3))
    tensor([2., 6., 5.])
    """

    def __init__(
        self,
        outputs: Outputs,
        loss: OutputLoss,
        theta: Tensor,
        chunks: Iterable[Chunk],
        parts: Mapping[str, slice] | None = None,
        cuda_graphs: bool = False,
        num_draws: int | None = None,
        draw: Draw | None = None,
        seed: Seed = 0,
    ) -> None:
        if num_draws is None and draw is not None:
            raise ValueError("draw is given, but num_draws is not; say how many targets to draw per example")
        self._draw = draw or _drawn_by(loss)
        self._num_draws = num_draws
        self._seed = seed if isinstance(seed, int) else int(torch.randint(2**62, (), generator=seed))
        super().__init__(outputs, loss, theta, chunks, parts, cuda_graphs)

    def _factors(self, number: int, leaf: Tensor, slope: Tensor) -> Tensor | None:
        if self._num_draws is None:
            return None
        # the same targets whenever the graph of a chunk is rebuilt
        rng, factors = torch.Generator().manual_seed(hash((self._seed, number)) % 2**63), []
        for _ in range(self._num_draws):
            targets = self._draw(leaf.detach(), rng)
            share = self._loss(leaf, targets) * (len(leaf) / self._num_examples)
            factors.append(differentiate(share, leaf))
        return torch.stack(factors) * (self._num_examples / self._num_draws) ** 0.5

    def _options(self) -> dict[str, Any]:
        return {"num_draws": self._num_draws, "draw": self._draw if self._num_draws else None, "seed": self._seed}


def _on_outputs(graph: _Graph, vector: Tensor) -> Tensor:
    """The product of the matrix on the outputs with a vector of their shape."""
    if graph.factors is None:
        if not graph.slope.requires_grad:  # the loss is linear in the outputs
            return torch.zeros_like(vector)
        return differentiate(graph.slope, graph.leaf, vector, retain_graph=True)
    factors = graph.factors.flatten(2)
    inner = (factors * vector.flatten(1)).sum(dim=2, keepdim=True)
    return (factors * inner).sum(dim=0).view_as(vector)


def _drawn_by(loss: OutputLoss) -> Draw:
    """The function that draws targets of which the loss is the negative log-likelihood."""
    if loss is functional.cross_entropy or isinstance(loss, nn.CrossEntropyLoss):
        return _classes
    if loss is functional.mse_loss or isinstance(loss, nn.MSELoss):
        return _normal
    raise ValueError(
        "a Fisher matrix needs the distribution of the targets, known for cross_entropy and mse_loss; for another loss "
        "give num_draws and draw(outputs, generator)"
    )


def _classes(outputs: Tensor, rng: torch.Generator) -> Tensor:
    probabilities = outputs.movedim(1, -1).softmax(dim=-1)
    drawn = torch.multinomial(probabilities.flatten(0, -2).double().cpu(), 1, generator=rng)
    return drawn.view(probabilities.shape[:-1]).to(outputs.device)


def _normal(outputs: Tensor, rng: torch.Generator) -> Tensor:
    noise = torch.randn(outputs.shape, generator=rng, dtype=torch.float64)
    return outputs + (outputs[0].numel() / 2) ** 0.5 * noise.to(outputs)
