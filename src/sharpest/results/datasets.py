"""Decoded data: the layouts of images, tokens, reviews, and of the record of imported data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sharpest.results.file import write_stored
from sharpest.results.layout import Dataset, Layout

DATA = Layout(
    "data",
    2,
    (
        Dataset("train_inputs", "u1", ("n", "c", "y", "w"), "", "decoded training images in canonical order"),
        Dataset("train_targets", "i8", ("n",), "", "classes"),
        Dataset("test_inputs", "u1", ("x", "c", "y", "w"), "", "decoded test images in canonical order"),
        Dataset("test_targets", "i8", ("x",), "", "classes"),
    ),
    ("dataset", "sha256", "origin", "num_classes", "code", "created"),
)


TOKENS = Layout(
    "tokens",
    2,
    (
        Dataset("train", "i4", ("n",), "", "training text as ids of tokens, 0 the most frequent"),
        Dataset("val", "i4", ("v",), "", "validation text as ids of tokens"),
        Dataset("test", "i4", ("x",), "", "test text as ids of tokens"),
    ),
    DATA.attributes,  # the classes are the token types
)


REVIEWS = Layout(
    "reviews",
    2,
    (
        Dataset("train_tokens", "i4", ("i",), "", "training reviews in canonical order, as ids of tokens"),
        Dataset("train_offsets", "i8", ("n+1",), "", "where each training review starts; last, where they end"),
        Dataset("train_targets", "i8", ("n",), "", "classes"),
        Dataset("test_tokens", "i4", ("j",), "", "test reviews in canonical order, as ids of tokens"),
        Dataset("test_offsets", "i8", ("x+1",), "", "where each test review starts; last, where they end"),
        Dataset("test_targets", "i8", ("x",), "", "classes"),
    ),
    DATA.attributes,
)


IMPORT_RECORD = Layout(
    "imported",
    1,
    (Dataset("batch_examples", "i8", ("m",), "examples", "in each of the batches, which stay in the user's code"),),
    ("modules", *DATA.attributes),
)


def write_imported(path: Path, batch_examples: Sequence[int], attributes: Mapping[str, Any]) -> None:
    """Write the record of imported data.

    Args:
        path: The file.
        batch_examples: (m,), examples in each batch.
        attributes: Attributes of the layout.

    Raises:
        StoreError: If it cannot be written.
    """
    write_stored(path, IMPORT_RECORD, {"batch_examples": np.array(batch_examples)}, attributes)


_LAYOUTS = {"images": DATA, "tokens": TOKENS, "reviews": REVIEWS, "imported": IMPORT_RECORD}


def data_layout(kind: str) -> Layout:
    """The layout of decoded ``images``, ``tokens`` or ``reviews``, or of the record of ``imported`` data."""
    return _LAYOUTS[kind]
