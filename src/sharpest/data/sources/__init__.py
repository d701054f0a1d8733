"""Data sources, one module each, so that a new source leaves the code of the others unchanged."""


def source_module(name: str) -> str:
    """The module that decodes a source (its ``load``) and describes it (its ``SOURCE``); it is named after the source.

    It is imported only when needed, so that the code of one source stays out of the fingerprints of the others.
    """
    return f"sharpest.data.sources.{name.replace('-', '_')}"
