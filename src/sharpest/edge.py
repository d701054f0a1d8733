"""The edge of stability: the curvature above which steps on a quadratic loss grow."""


def edge(lr: float, momentum: float = 0.0, nesterov: bool = False) -> float:
    """The largest eigenvalue of the Hessian at which full-batch steps on a quadratic loss stay bounded.

    Gradient descent: 2 / eta. Heavy-ball momentum: 2 (1 + m) / eta. Nesterov momentum: 2 (1 + m) / (eta (1 + 2 m)).

    Args:
        lr: Learning rate eta, above 0.
        momentum: m, from 0 to below 1.
        nesterov: Whether the momentum is Nesterov's.

    Returns:
        The edge, in units of the loss.

    Source: Cohen et al., ICLR 2021.
    """
    return 2 * (1 + momentum) / (lr * (1 + 2 * momentum if nesterov else 1))


def adam_edge(lr: float, beta1: float, weight_decay: float = 0.0) -> float:
    """The edge of stability of Adam, for its preconditioned Hessian: (2/eta - c) (1 + b) / (1 - b).

    The edge of RMSProp is that of beta1 = 0: 2 / eta. The moments of the gradient are assumed stationary.

    Args:
        lr: Learning rate eta, above 0.
        beta1: b, decay of the first moment, from 0 to below 1.
        weight_decay: c, decoupled (AdamW).

    Returns:
        The edge, in units of P^-1/2 H P^-1/2, in which the unit of the loss cancels.

    Source: Cohen et al., 2022, arXiv 2207.14484.
    """
    return (2 / lr - weight_decay) * (1 + beta1) / (1 - beta1)
