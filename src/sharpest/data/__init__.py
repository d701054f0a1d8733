"""Data sets: where they come from, how they are decoded, split, centred and augmented; one module for each kind."""


def data_module(kind: str) -> str:
    """The module that loads a kind of data (``images``, ``tokens``); it is named after the kind.

    It is imported only when needed, so that the code of one kind stays out of the fingerprints of the others.
    """
    return f"sharpest.data.{kind}"
