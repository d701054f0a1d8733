"""Sizes that planning asks for before anything is measured. Free of torch."""


def basis_size(num_eigenpairs: int) -> int:
    """Vectors (p,) that the eigensolver holds at once for a number of eigenpairs; fewer where p is smaller.

    Source: thick restart keeps the better half, which has to hold the wanted pairs and some to spare.

    >>> basis_size(5), basis_size(50)
    (32, 150)
    """
    return max(32, 3 * num_eigenpairs)
