"""Derivatives by autograd that refuse operations without a derivative, instead of silently leaving them out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.graph import Node

from sharpest.errors import SharpestError


class NotTwiceDifferentiableError(SharpestError):
    """The loss has no second derivative that autograd can compute.

    >>> import torch
    >>> from sharpest.curvature import Hessian, NotTwiceDifferentiableError
    >>> words = torch.tensor([[0, 1]])
    >>> def loss(theta, inputs, targets):
    ...     return torch.nn.functional.embedding_bag(words, theta.view(2, 3), mode="max").square().sum()
    >>> try:
    ...     Hessian(loss, torch.ones(6), [(torch.zeros(1), torch.zeros(1))]).product(torch.ones(6))
    ... except NotTwiceDifferentiableError as error:
    ...     print(str(error)[:36])
    the loss is not twice differentiable
    """


def refuse_undifferentiable(gradient: Tensor) -> None:
    """Refuse operations that are differentiable only once, which autograd would silently leave out of a derivative.

    Raises:
        NotTwiceDifferentiableError: If the graph of the gradient holds such an operation.
    """
    if {node.name() for node in nodes_of(gradient)} & {"torch::autograd::Error", "torch::autograd::NotImplemented"}:
        raise NotTwiceDifferentiableError(
            "the loss is not twice differentiable: one of its operations has only a first derivative; replace it"
        )


def nodes_of(output: Tensor) -> set[Node]:
    """The nodes of a tensor's graph; those of its leaves have the attribute ``variable``."""
    seen: set[Node] = set()
    pending = [output.grad_fn]
    while pending:
        node = pending.pop()
        if node is not None and node not in seen:
            seen.add(node)
            pending += [following for following, _ in node.next_functions]
    return seen


def differentiate(
    output: Tensor, theta: Tensor, vector: Tensor | None = None, create_graph: bool = False, retain_graph: bool = False
) -> Tensor:
    """The gradient (p,) of an output by theta, or the product of its derivative with a vector of the output's shape.

    Raises:
        NotTwiceDifferentiableError: If autograd cannot differentiate an operation.
    """
    try:
        return torch.autograd.grad(
            output,
            theta,
            vector,
            retain_graph=create_graph or retain_graph,
            create_graph=create_graph,
            materialize_grads=True,
        )[0]
    except RuntimeError as error:
        if not any(words in str(error) for words in ("not implemented", "once_differentiable")):
            raise
        raise NotTwiceDifferentiableError(
            f"the loss is not twice differentiable ({str(error).splitlines()[0]}); "
            "replace that operation, for instance cuDNN's RNN by your own cells"
        ) from error
