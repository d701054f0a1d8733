"""Sizes of data and files that a forecast needs before anything is read."""

import math
from typing import Any

import numpy as np

from sharpest.config.datasets import DatasetSettings, ImageSettings, TokenSettings
from sharpest.config.measure import Measure
from sharpest.config.project import Project
from sharpest.config.run import RunSettings
from sharpest.config.run_id import RunId
from sharpest.config.sources.base import ImageSource, ImportedSource
from sharpest.config.sources.registry import SOURCES
from sharpest.errors import ConfigError
from sharpest.results.paths import Paths


def check_sizes(project: Project) -> None:
    """Refuse a scale with a data set whose size only its files tell.

    Raises:
        ConfigError: Names the data set.
    """
    for name, dataset in project.scale.datasets.items():
        source = SOURCES[dataset.source]
        if isinstance(source, ImportedSource) or (isinstance(source, ImageSource) and source.shape is None):
            raise ConfigError(
                f"datasets.{name}: the size of {dataset.source} is not known before its files are read, so there is "
                f"no forecast of this scale; make one figure, and read {Paths.of('<scale>').benchmark('').parent}"
            )


def image_shape(run: RunSettings) -> tuple[int, int, int]:
    """(channels, height, width) of the source of a run on images."""
    source = SOURCES[run.dataset.source]
    assert isinstance(source, ImageSource)
    assert source.shape is not None  # checked before
    return source.shape


def stored_bytes(run: RunSettings) -> float:
    """Of the decoded data set of a run, on disk."""
    source: Any = SOURCES[run.dataset.source]
    if isinstance(source, ImageSource):
        return float(math.prod(image_shape(run)) * (source.num_train + source.num_test))  # type: ignore[operator]
    if isinstance(run.dataset, TokenSettings):
        return 4.0 * (run.dataset.train + run.dataset.val + run.dataset.test)
    return 4.0 * (source.num_train + source.num_test) * getattr(run.dataset, "length", 0)


def data_bytes(run: RunSettings) -> float:
    """In memory: float32 images beside the file's integers, and float64 while their spread is taken; int64 words."""
    if isinstance(run.dataset, ImageSettings):
        channels, height, _ = image_shape(run)
        pixels = channels * (run.model["image_size"] or height) ** 2
        return stored_bytes(run) + pixels * (16.0 * run.dataset.train + 8.0 * (run.dataset.val + run.dataset.test))
    return 4 * stored_bytes(run)


def point_bytes(measure: Measure, settings: Any, dataset: DatasetSettings) -> float:
    """Of one point in the file of a measure, vectors of p parameters left aside."""
    datasets = {dataset.name: dataset for dataset in measure.layout.datasets}
    sizes = {datasets[name].dims[0]: len(values) for name, values in measure.constants(settings).items()}
    sizes |= {"x": dataset.test, **measure.sizes(settings, 10**9)}
    return sum(
        np.dtype(array.dtype).itemsize * math.prod(sizes[letter] for letter in array.dims[1:])
        for array in datasets.values()
        if array.dims[0] == "t" and "p" not in array.dims
    )


def net_of(run: RunSettings) -> str:
    """Runs of one net cost the same for each call: architecture, data set, momentum left aside."""
    return f"{RunId.parse(run.run).model}-{run.dataset_name}"
