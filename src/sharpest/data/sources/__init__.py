"""Data sources: one function for each, in the module of its kind."""


def code_of_source(kind: str, source: str) -> tuple[str, str]:
    """The function that decodes a source, and its description, as ``module:name``.

    Only these two belong to the fingerprint of the data, so that an edit of one source leaves the others current.
    """
    name = source.replace("-", "_")
    return f"sharpest.data.sources.{kind}:read_{name}", f"sharpest.config.sources:{name.upper()}"
