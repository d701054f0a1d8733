"""Data sets: where they come from, how they are decoded, split, centred and augmented; one module for each kind."""


def data_module(kind: str) -> str:
    """The module that loads a kind of data (``images``, ``tokens``): its name is the kind's.

    It is imported when it is needed, so that the code of one kind is no part of another one's fingerprint.
    """
    return f"sharpest.data.{kind}"
