"""Where data come from, one module for each source, so that a new one leaves the code of the others alone."""


def source_module(name: str) -> str:
    """The module whose ``load`` decodes a source, beside its ``SOURCE``; its name is the source's.

    It is imported when it is needed, so that the code of one source is no part of another one's fingerprint.
    """
    return f"sharpest.data.sources.{name.replace('-', '_')}"
