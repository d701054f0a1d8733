"""Files of a synthetic edge test: candidates and changes of settings at the same points."""

from typing import Any

import numpy as np
from results_folder import ResultsFolder

ARMS = ["sgd", "lr1.5", "S0.5"]
LR = 0.1
EDGE = 2 / LR
FACTOR = 5.0


def write_edge_test(
    folder: ResultsFolder,
    run: str,
    schedule: str,
    spike: Any,
    momentum: float = 0.0,
    diverged: float | None = None,
    **candidates: Any,
) -> None:
    """Write t points, ten updates apart.

    Args:
        folder: The results folder.
        run: Id of the run.
        schedule: Name of the schedule.
        spike: (t, 2), of both changes.
        momentum: Momentum of the run.
        diverged: Epoch at which the run diverged.
        candidates: (t,) by column; 1 to t by default. Also ``batch_outcome`` (t, m) of the critical steps, and
            ``remaining`` (t, 2).
    """
    spike = np.array(spike, float)
    t = len(spike)
    rising = np.arange(1, t + 1, dtype=float)
    known = {
        "config": {"run": {"momentum": momentum, "nesterov": False, "model": {}, "optimizer": "sgd"}},
        "lr": LR,
        "diverged_epoch": diverged,
    }
    points = {"iteration": 10 * np.arange(t), "epoch": np.arange(t) / 2}

    def write(measure: str, sizes: dict[str, int], arrays: dict[str, Any], **attributes: Any) -> None:
        folder.write_measure(measure, run, schedule, {"t": t, **sizes}, points | arrays, **known, **attributes)

    def of(name: str) -> Any:
        return np.array(candidates.get(name, rising), float)

    write("spectra", {"k": 1}, {"eigenvalues": of("eigenvalues")[:, None]})
    sampled = {name: of(name) for name in ("batch_sharpness", "ratio_of_means", "gni")}
    write("gradient_sample", {}, sampled)
    outcome = np.array(candidates.get("batch_outcome", np.zeros((t, 2))))
    write("critical", {"m": 2}, {"critical_sharpness": of("critical_sharpness"), "batch_outcome": outcome})
    columns = {
        "spike": np.insert(spike, 0, 1, axis=1),
        "catapult": np.insert(np.where(np.isnan(spike), np.nan, spike > FACTOR), 0, 0, axis=1),
        "remaining": np.insert(np.array(candidates.get("remaining", np.full(spike.shape, 0.2)), float), 0, 1, axis=1),
    }
    write("interventions", {"a": 3}, columns, settings={"arms": ARMS, "updates": 20, "factor": FACTOR})
