"""Properties of data sources that are known before loading, one module each, so that a new one leaves others alone."""


def description_module(name: str) -> str:
    """The module with the ``SOURCE`` of a name: the name with ``_`` for ``-``.

    It is imported on demand, which keeps a source out of the fingerprints of the others.
    """
    return f"sharpest.config.sources.{name.replace('-', '_')}"
