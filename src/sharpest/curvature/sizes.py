"""Sizes that planning needs before anything is measured. Does not import torch."""


def basis_size(num_eigenpairs: int) -> int:
    """Vectors (p,) that the eigensolver holds at once for a number of eigenpairs; fewer if p is smaller.

    Source: thick restart keeps the better half, which must hold the wanted pairs and some to spare.

    >>> basis_size(5), basis_size(50)
    (32, 150)
    """
    return max(32, 3 * num_eigenpairs)
