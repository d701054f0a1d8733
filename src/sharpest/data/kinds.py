"""Kinds of data, one module each, so that a new one leaves the code of the others alone."""


def data_module(kind: str) -> str:
    """The module that loads a kind of data (``images``, ``tokens``): its name is the kind's.

    It is imported when it is needed, so that the code of one kind is no part of another one's fingerprint.
    """
    return f"sharpest.data.{kind}"
