"""Derivatives by autograd that refuse a loss which has none, instead of leaving it out."""

import torch
from torch import Tensor

from sharpest.errors import SharpestError


class NotTwiceDifferentiableError(SharpestError):
    """The loss has no second derivative that autograd could compute.

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
    """Find the operations that autograd leaves out of a derivative without a word: those differentiable only once."""
    seen, pending = set(), [gradient.grad_fn]
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        if node.name() in ("torch::autograd::Error", "torch::autograd::NotImplemented"):
            raise NotTwiceDifferentiableError(
                "the loss is not twice differentiable: one of its operations has a first derivative only; replace it"
            )
        seen.add(node)
        pending += [following for following, _ in node.next_functions]


def differentiate(
    output: Tensor, theta: Tensor, vector: Tensor | None = None, create_graph: bool = False, retain_graph: bool = False
) -> Tensor:
    """The gradient of an output by theta, (p,), or the product of its derivative with a vector of its shape.

    Raises:
        NotTwiceDifferentiableError: If autograd refuses an operation.
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
            "replace that operation, cuDNN's RNN for instance by cells of one's own"
        ) from error
