"""The edge of stability: the curvature beyond which steps along it grow, on a quadratic loss."""


def edge(lr: float, momentum: float = 0.0, nesterov: bool = False) -> float:
    """The largest eigenvalue of the Hessian at which full-batch steps on a quadratic loss stay bounded.

    2 / eta of gradient descent, 2 (1 + m) / eta with heavy-ball momentum, 2 (1 + m) / (eta (1 + 2 m)) with Nesterov's.

    Args:
        lr: eta, above 0.
        momentum: m, from 0 to below 1.
        nesterov: Whether the momentum is Nesterov's.

    Returns:
        In units of the loss.

    Source: Cohen et al., ICLR 2021.
    """
    return 2 * (1 + momentum) / (lr * (1 + 2 * momentum if nesterov else 1))


def adam_edge(lr: float, beta1: float, weight_decay: float = 0.0) -> float:
    """The same of Adam, for the Hessian in the metric of its preconditioner: (2/eta - c) (1 + b) / (1 - b).

    RMSProp's is that of beta1 = 0, 2 / eta; the moments of the gradient are taken as at rest.

    Args:
        lr: eta, above 0.
        beta1: b, decay of the first moment, from 0 to below 1.
        weight_decay: c, decoupled (AdamW).

    Returns:
        In units of P^-1/2 H P^-1/2, without a unit where the loss has one.

    Source: Cohen et al., 2022, arXiv 2207.14484.
    """
    return (2 / lr - weight_decay) * (1 + beta1) / (1 - beta1)
