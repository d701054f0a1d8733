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
    """The largest eigenvalue of the preconditioned Hessian at which full-batch steps of Adam stay bounded.

    (2 / eta - c) (1 + beta1) / (1 - beta1), on a quadratic loss and with a preconditioner that stands still.

    Args:
        lr: eta, above 0.
        beta1: Of the mean of gradients, from 0 to below 1.
        weight_decay: c, decoupled as in AdamW.

    Returns:
        In units of the preconditioned loss.

    Source: Cohen et al., 2022, arXiv 2207.14484.
    """
    return (2 / lr - weight_decay) * (1 + beta1) / (1 - beta1)
