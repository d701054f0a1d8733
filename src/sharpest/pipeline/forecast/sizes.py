"""Sizes of data and files for a forecast, before any file is read."""

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
    """Check that the sizes of all data sets of a scale are known without reading their files.

    Raises:
        ConfigError: If one is not; the message names the data set.
    """
    for name, dataset in project.scale.datasets.items():
        source = SOURCES[dataset.source]
        if isinstance(source, ImportedSource) or (isinstance(source, ImageSource) and source.shape is None):
            raise ConfigError(
                f"datasets.{name}: the size of {dataset.source} is unknown until its files are read, so this scale has "
                f"no forecast; make one figure, and see the times in {Paths.of('<scale>').benchmark('').parent}"
            )


def image_shape(run: RunSettings) -> tuple[int, int, int]:
    """Shape (channels, height, width) of the images in the source of a run."""
    source = SOURCES[run.dataset.source]
    assert isinstance(source, ImageSource)
    assert source.shape is not None  # see check_sizes
    return source.shape


def stored_bytes(run: RunSettings) -> float:
    """Bytes of the decoded data set of a run on disk."""
    source: Any = SOURCES[run.dataset.source]
    if isinstance(source, ImageSource):
        return float(math.prod(image_shape(run)) * (source.num_train + source.num_test))  # type: ignore[operator]
    if isinstance(run.dataset, TokenSettings):
        return 4.0 * (run.dataset.train + run.dataset.val + run.dataset.test)
    return 4.0 * (source.num_train + source.num_test) * getattr(run.dataset, "length", 0)


def data_bytes(run: RunSettings) -> float:
    """Bytes of the data set of a run in memory.

    Images: the integers of the file, float32 pixels, and float64 pixels while their spread is computed. Text: int64
    words.
    """
    if isinstance(run.dataset, ImageSettings):
        channels, height, _ = image_shape(run)
        pixels = channels * (run.model["image_size"] or height) ** 2
        return stored_bytes(run) + pixels * (16.0 * run.dataset.train + 8.0 * (run.dataset.val + run.dataset.test))
    return 4 * stored_bytes(run)


def point_bytes(measure: Measure, settings: Any, dataset: DatasetSettings) -> float:
    """Bytes of one point in the file of a measure, without vectors of p parameters."""
    datasets = {dataset.name: dataset for dataset in measure.layout.datasets}
    sizes = {datasets[name].dims[0]: len(values) for name, values in measure.constants(settings).items()}
    sizes |= {"x": dataset.test, **measure.sizes(settings, 10**9)}
    return sum(
        np.dtype(array.dtype).itemsize * math.prod(sizes[letter] for letter in array.dims[1:])
        for array in datasets.values()
        if array.dims[0] == "t" and "p" not in array.dims
    )


def net_of(run: RunSettings) -> str:
    """Architecture and data set of a run: runs of the same net have the same cost per call, apart from momentum."""
    return f"{RunId.parse(run.run).model}-{run.dataset_name}"
