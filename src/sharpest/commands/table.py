"""Print rows as a table for people, or as JSON for programs."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table with aligned columns.

    Args:
        head: Heading of each column.
        rows: Rows, with a text for each column.
        numbers: Indices of the right-aligned columns.
    """
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = (
        "  ".join(
            text.rjust(width) if column in numbers else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def as_json(value: Any) -> str:
    """JSON of mappings, lists and arrays; numbers that are not finite become null."""
    return json.dumps(_plain(value), indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
