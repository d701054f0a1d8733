"""Declarations of measures that figures read, where a test needs no more of them than the names of their columns."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import sharpest.measures
from sharpest.config.measures import declared, measure_names

DECLARATION = '''
from sharpest.config.measure import Cost, Measure
from sharpest.config.strict import Strict
from sharpest.results.layout import Dataset, measured_layout


class Settings(Strict):
    """Nothing to set."""


MEASURE = Measure(
    title="{name}",
    settings=Settings,
    layout=measured_layout("{name}", 1, {columns}),
    cost=lambda settings, point: Cost(),
)
'''


@contextmanager
def declaring(folder: Path, monkeypatch: pytest.MonkeyPatch, **measures: dict[str, str]) -> Iterator[None]:
    """Declare measures by name, each with its columns and their dimensions as a text of letters."""
    for name, columns in measures.items():
        (folder / name).mkdir(parents=True)
        arrays = ", ".join(f'Dataset("{column}", "f8", {tuple(dims)}, "", "")' for column, dims in columns.items())
        (folder / name / "__init__.py").write_text(DECLARATION.format(name=name, columns=arrays))
    with monkeypatch.context() as patch:
        patch.setattr(sharpest.measures, "__path__", [*sharpest.measures.__path__, str(folder)])
        for cache in (measure_names, declared):
            cache.cache_clear()
        yield
    for cache in (measure_names, declared):
        cache.cache_clear()
    for name in measures:
        sys.modules.pop(f"sharpest.measures.{name}", None)
        vars(sharpest.measures).pop(name, None)
