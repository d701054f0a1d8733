"""All nets, trained and measured on a stand-in GPU: every tensor on its device, results as on the CPU.

The operations are the same, computed on the CPU; they differ only where code depends on the device, by rounding.
"""

from pathlib import Path

import numpy as np
import pytest
from builders import (
    Run,
    Silent,
    branch_settings,
    full_batch_settings,
    run_settings,
)
from seven_nets import ALL, HESSIAN, measured, on_cpu, tiny_run
from stand_in_gpu import stand_in_gpu
from tiers import fast

import sharpest.training.run
from sharpest.config.measures import declared
from sharpest.config.run import RunSettings
from sharpest.results.stored import Measured, Snapshots


@pytest.mark.parametrize("name", fast(ALL, ALL[0]))
def test_a_run_and_its_measures_are_those_of_the_cpu(name: str, tmp_path: Path) -> None:
    with on_cpu():
        expected = measured(tiny_run(name, tmp_path / "cpu"))
    with stand_in_gpu() as gpu:
        actual = measured(tiny_run(name, tmp_path / "gpu"))
    assert gpu.reads > 0
    for key, values in expected.items():
        np.testing.assert_allclose(actual[key], values, rtol=1e-3, atol=1e-5, err_msg=key)


@pytest.mark.slow
def test_the_gradient_flow_of_a_full_batch(tmp_path: Path) -> None:
    def distances(folder: Path) -> np.ndarray:
        run = Run(folder, full_batch_settings(epochs=1)).train()
        path = run.measure("gradient_flow", [[0, 2]], declared("gradient_flow").settings(), hessian=HESSIAN)
        return Measured(path, declared("gradient_flow").layout)["distance"]

    with on_cpu():
        expected = distances(tmp_path / "cpu")
    with stand_in_gpu():
        actual = distances(tmp_path / "gpu")
    assert expected[1] > 0
    np.testing.assert_allclose(actual, expected, rtol=1e-3)


def trunk(**changes: object) -> RunSettings:
    return run_settings(**{"epochs": 2, "momentum": 0.5, **changes})


KINDS = {
    **{name: branch_settings(trunk(), 1, name, nudge={"hessian": HESSIAN}) for name in ("top", "ctop", "x2")},
    "a branch": branch_settings(trunk(), 1, lr_factor=0.1),
    "full batch": full_batch_settings(epochs=1),
    "nesterov": full_batch_settings(epochs=2, momentum=0.5, nesterov=True, loss="squared"),
    "clipping": trunk(clip_norm=0.1),
    "plateaus": trunk(rule="plat", patience=1, stop_patience=1, epochs=4),
    "diverging": trunk(lr=1e30, clip_norm=None),
}


@pytest.mark.parametrize("name", fast(KINDS, "ctop", "nesterov"))
def test_every_kind_of_training(name: str, tmp_path: Path) -> None:
    with on_cpu():
        expected = Snapshots(Run(tmp_path / "cpu", KINDS[name]).train().snapshots)
    with stand_in_gpu():
        actual = Snapshots(Run(tmp_path / "gpu", KINDS[name]).train().snapshots)
    assert actual.attributes["diverged"] == expected.attributes["diverged"]
    np.testing.assert_allclose(actual["theta"], expected["theta"], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(actual.update_loss, expected.update_loss, rtol=1e-4)


class KilledError(Exception):
    """Stands for the end of the process."""


class KillsAt(Silent):
    """Ends training after a number of updates."""

    def __init__(self, iteration: int) -> None:
        super().__init__()
        self._iteration = iteration

    def update(self, done: int, note: str = "") -> None:
        if done == self._iteration:
            raise KilledError


@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_a_run_goes_on_within_an_epoch(
    clip_norm: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state saved within the epoch returns to the device, together with the later tensors."""
    monkeypatch.setattr(sharpest.training.run, "SAVE_INTERVAL", 0.0)
    settings = trunk(clip_norm=clip_norm, epochs=1)
    with stand_in_gpu():
        expected = Snapshots(Run(tmp_path / "whole", settings).train().snapshots)
        cut = Run(tmp_path / "cut", settings)
        with pytest.raises(KilledError):
            cut.train(KillsAt(3))
        actual = Snapshots(cut.train().snapshots)
    np.testing.assert_array_equal(actual["theta"], expected["theta"])
