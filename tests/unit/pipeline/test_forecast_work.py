"""The calls that a forecast counts for one job of a measure."""

from types import SimpleNamespace
from typing import Any

import pytest
from builders import hessian_settings, run_settings

from sharpest.errors import ConfigError
from sharpest.measures.density import Settings as DensitySettings
from sharpest.measures.trace import Settings as TraceSettings
from sharpest.pipeline.forecast import check_sizes, measured


def calls(measure: str, settings: Any, points: list[int]) -> dict[str, float]:
    """Numbers of calls in a job on a run of 20 updates with a snapshot every 5."""
    job = measured("path", run_settings(), hessian_settings(), measure, settings, points)
    return {what: count for what, count, _ in job.calls}


def test_products_alone_need_the_state_as_well() -> None:
    """Points at snapshots need no replay; the other two are each replayed between two snapshots."""
    actual = calls("trace", TraceSettings(num_products=30), [0, 5, 7, 13])
    assert actual["update"] == 10
    at_snapshots = calls("trace", TraceSettings(num_products=30), [0, 5])
    assert at_snapshots.get("update", 0) == 0
    density = calls("density", DensitySettings(num_probes=3, num_steps=10), [0, 5, 7, 13])
    assert density["update"] == 10
    assert actual["product"] == density["product"] != 0


def test_data_of_unknown_size_have_no_forecast() -> None:
    datasets = {"c10": SimpleNamespace(source="own-images")}
    with pytest.raises(ConfigError, match=r"datasets\.c10: the size of own-images is unknown until its files are read"):
        check_sizes(SimpleNamespace(scale=SimpleNamespace(datasets=datasets)))
