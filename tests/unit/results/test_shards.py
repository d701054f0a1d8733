"""Merged shards are, bit for bit, the measurement of one job."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from builders import (
    Run,
    branch_settings,
    direction_settings,
    hessian_settings,
    lstm_settings,
    nsgd_settings,
    run_settings,
)
from sealed import changed
from tiers import fast

from sharpest.config.measures import declared
from sharpest.errors import StoreError
from sharpest.results.file import open_stored
from sharpest.results.layout import Layout
from sharpest.results.shards import merge_shards

SPECTRA, DIRECTIONS = declared("spectra").layout, declared("directions").layout
HESSIAN = hessian_settings(tolerance=1e-3)
SETTINGS = direction_settings(
    indices=(1, 3, 0, -1),
    num_gradients=2,
    alphas=(0.5, 2.0),
    alpha_every=2,
    grid=(-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0),
)
NSGD = nsgd_settings(refresh_every=3, keep_vectors=True, hessian=HESSIAN)
# settings, segments: borders within an epoch and on its start, points used by training, segments after the end
CASES = {
    "sgd": (run_settings(), [[0, 3, 6, 9], [10, 12, 13, 17], [19, 20]]),
    "lstm": (lstm_settings(), [[0, 9], [19, 30]]),
    "ends in a shard": (run_settings(), [[0, 8], [16, 24], [32, 40]]),
    "nsgd": (run_settings(nudge=NSGD), [[0, 1, 3, 4], [6, 7, 9, 11]]),
    "branch": (branch_settings(run_settings(), 2, lr_factor=0.1), [[10, 11], [13, 17], [20]]),
    "diverges": (run_settings(lr=1e6), [[0, 1], [10, 15], [16, 20]]),
}


def stored_contents(path: Path, layout: Layout) -> dict[str, object]:
    """The contents of a file, bit for bit, except clock times."""
    with open_stored(path, layout) as file:
        arrays = {d.name: (file.shape(d.name), file[d.name].tobytes()) for d in layout.datasets if d.name != "seconds"}
        return {**arrays, **{name: value for name, value in file.attributes.items() if name != "created"}}


@pytest.mark.parametrize(
    ("case", "keep_vectors"),
    [
        ("ends in a shard", True),
        ("branch", False),
        *(pytest.param(case, True, marks=pytest.mark.slow) for case in ("sgd", "lstm", "nsgd", "diverges")),
    ],
)
def test_merged_spectra_are_those_of_one_job(case: str, keep_vectors: bool, tmp_path: Path) -> None:
    settings, segments = CASES[case]
    run = Run(tmp_path, settings).train()
    asked = {"hessian": HESSIAN, "accuracy_every": 2, "keep_vectors": keep_vectors}
    run.measure_segments(segments, tmp_path / "whole/step.h5", **asked)
    # in any order, each from a separate replay
    shards = [tmp_path / f"{number}/step.h5" for number in range(len(segments))]
    for segment, shard in reversed(list(zip(segments, shards, strict=True))):
        run.measure_segments([segment], shard, **asked)
    count = merge_shards(list(map(str, shards)), str(tmp_path / "merged/step.h5"), SPECTRA)
    merged = stored_contents(tmp_path / "merged/step.h5", SPECTRA)
    assert merged == stored_contents(tmp_path / "whole/step.h5", SPECTRA)
    assert merged["planned_points"] == sum(map(len, segments))
    assert merged["iteration"][0] == (count,)  # type: ignore[index]
    with open_stored(tmp_path / "merged/step.h5", SPECTRA) as file:
        assert file["vector_index"].tolist() == (list(range(count)) if keep_vectors else [])


def test_merged_shards_hold_all_measured_points(tmp_path: Path) -> None:
    """A run that ends at 20: shards of two points, one point and none."""
    settings, segments = CASES["ends in a shard"]
    run = Run(tmp_path, settings).train()
    shards = [tmp_path / f"{number}/step.h5" for number in range(3)]
    for segment, shard in zip(segments, shards, strict=True):
        run.measure_segments([segment], shard, hessian=HESSIAN)
    merge_shards(list(map(str, shards)), str(tmp_path / "merged.h5"), SPECTRA)
    parts = [h5py.File(shard) for shard in shards]
    assert [len(part["iteration"]) for part in parts] == [2, 1, 0]
    with h5py.File(tmp_path / "merged.h5") as merged:
        assert merged["iteration"][...].tolist() == [0, 8, 16]
        for name in ("eigenvalues", "eigenvectors", "hvps", "train_loss"):
            np.testing.assert_array_equal(merged[name], np.concatenate([part[name] for part in parts]))


def test_a_segment_starts_cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sharpest.trajectory.eigenpairs import solve_eigenpairs

    warm = []

    def listening(*given):  # type: ignore[no-untyped-def]
        warm.append(given[-1] is not None)
        return solve_eigenpairs(*given)

    monkeypatch.setattr("sharpest.measures.point.solve_eigenpairs", listening)
    Run(tmp_path).train().measure_segments([[0, 3], [4, 7, 9]], tmp_path / "step.h5", hessian=HESSIAN)
    assert warm == [False, True, False, True, True]


@pytest.mark.parametrize("case", fast(["sgd", "ends in a shard", "diverges"], "diverges"))
def test_merged_directions_are_those_of_one_job(case: str, tmp_path: Path) -> None:
    settings, segments = CASES[case]
    run = Run(tmp_path, settings).train()
    run.measure_segments(segments, run.spectrum(), hessian=HESSIAN)
    run.measure_direction_segments(segments, tmp_path / "whole.h5", SETTINGS)
    shards = [tmp_path / f"{number}.h5" for number in range(len(segments))]
    for segment, shard in reversed(list(zip(segments, shards, strict=True))):
        run.measure_direction_segments([segment], shard, SETTINGS)
    merge_shards(list(map(str, shards)), str(tmp_path / "merged.h5"), DIRECTIONS)
    assert stored_contents(tmp_path / "merged.h5", DIRECTIONS) == stored_contents(tmp_path / "whole.h5", DIRECTIONS)


def test_shards_of_two_machines_name_both(tmp_path: Path) -> None:
    run = Run(tmp_path).train()
    shards = [tmp_path / f"{number}/step.h5" for number in range(2)]
    for shard, point in zip(shards, (0, 5), strict=True):
        run.measure_segments([[point]], shard, hessian=HESSIAN)
    with changed(shards[1]) as file:
        device = file.attrs["device"]
        file.attrs["device"] = "another"
    merge_shards(list(map(str, shards)), str(tmp_path / "merged.h5"), SPECTRA)
    with open_stored(tmp_path / "merged.h5", SPECTRA) as file:
        assert file.attributes["device"] == f"{device}, another"


@pytest.mark.parametrize(
    ("drifts", "drift"), [((0.0, 0.25, 0.125), 0.25), ((0.5, 0.0, 0.25), 0.5), ((0.5, float("nan"), 0.0), float("nan"))]
)
def test_the_drift_is_the_largest_of_the_shards(drifts: tuple[float, ...], drift: float, tmp_path: Path) -> None:
    """A drift of NaN stays NaN; comparisons, planned points and times are combined from all shards."""
    run = Run(tmp_path).train()
    shards = [tmp_path / f"{number}/step.h5" for number in range(3)]
    for number, shard in enumerate(shards):
        run.measure_segments([[number]], shard, hessian=HESSIAN)
        with changed(shard) as file:
            file.attrs["replay_drift"], file.attrs["replays_checked"] = drifts[number], number + 1
            file.attrs["created"] = f"2026-01-0{(2, 3, 1)[number]}"
    merge_shards(list(map(str, shards)), str(tmp_path / "merged.h5"), SPECTRA)
    with open_stored(tmp_path / "merged.h5", SPECTRA) as file:
        assert file.attributes["replay_drift"] == pytest.approx(drift, nan_ok=True)
        assert (file.attributes["replays_checked"], file.attributes["planned_points"]) == (6, 3)
        assert file.attributes["created"] == "2026-01-03"


def test_a_shard_of_another_measurement_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path).train()
    shards = [tmp_path / f"{number}/step.h5" for number in range(2)]
    run.measure_segments([[0]], shards[0], hessian=HESSIAN)
    run.measure_segments([[5]], shards[1], hessian=hessian_settings(tolerance=1e-2))
    message = r"1/step\.h5: hessian differs from that of .*0/step\.h5; delete .*/1 and run snakemake again"
    with pytest.raises(StoreError, match=message):
        merge_shards(list(map(str, shards)), str(tmp_path / "merged.h5"), SPECTRA)
    assert not (tmp_path / "merged.h5").exists()
