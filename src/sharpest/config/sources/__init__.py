"""What is known of each data source before it is loaded, one module each, so that a new one leaves the others alone."""


def description_module(name: str) -> str:
    """The module with the ``SOURCE`` of a name: the name with ``_`` for ``-``.

    It is imported when it is needed, so that one source is no part of another one's fingerprint.
    """
    return f"sharpest.config.sources.{name.replace('-', '_')}"
