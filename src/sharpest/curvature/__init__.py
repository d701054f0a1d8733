"""Hessian of a loss, its leading eigenpairs. Knows nothing of training, data or files."""
