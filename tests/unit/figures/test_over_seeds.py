"""Means over seeds, compared with NumPy on explicit numbers, and how they are drawn."""

from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.testing import assert_allclose, assert_array_equal

from sharpest.figures.canvas import Canvas
from sharpest.figures.seeds import OfSeed, mean_over_seeds, name_diverged, seeds_line

VALUES = np.array([[1.0, 2.0, 4.0], [3.0, 5.0, 9.0], [8.0, 2.0, 2.0]])


def _run(seed: int) -> str:
    return f"scnn-c10-sgd-lr0.1-S128-s{seed}"


def _seed(seed: int, y: Sequence[float], x: Sequence[float] | None = None, diverged: str = "") -> OfSeed:
    places = np.arange(len(y), dtype=float) if x is None else np.array(x, dtype=float)
    return OfSeed(_run(seed), places, np.array(y, dtype=float), diverged)


def _seeds() -> list[OfSeed]:
    return [_seed(1001 + index, y) for index, y in enumerate(VALUES)]


def drawn(seeds: Sequence[OfSeed], yscale: str = "linear", mean_only: bool = False) -> tuple[Axes, Canvas]:
    canvas = Canvas()
    canvas.lay_out(1, 1)
    panel = canvas.panel("P", yscale=yscale)
    panel.line("s", seeds, mean_only, color="red", linewidth=0.9, label="name")
    return panel.axes, canvas


def test_mean_and_sample_deviation_at_each_point() -> None:
    mean = mean_over_seeds(_seeds())
    assert_array_equal(mean.x, [0, 1, 2])
    assert_allclose(mean.y, [4, 3, 5])
    assert_allclose(mean.deviation, np.sqrt([(9 + 1 + 16) / 2, (1 + 4 + 1) / 2, (1 + 16 + 9) / 2]))
    assert mean.counts.tolist() == [3, 3, 3]
    assert mean.runs.tolist() == ["mean of 1001, 1002, 1003"] * 3


def test_a_profile_at_each_point_has_its_own_mean() -> None:
    profiles = np.stack([VALUES, VALUES + 2])  # (seed, t, g)
    seeds = [OfSeed(_run(1001 + index), np.arange(3), profile) for index, profile in enumerate(profiles)]
    mean = mean_over_seeds(seeds)
    assert_allclose(mean.y, VALUES + 1)
    assert_allclose(mean.deviation, np.full((3, 3), np.sqrt(2)))


def test_a_point_needs_more_than_half_of_the_seeds() -> None:
    """With four seeds, two are too few and three are enough."""
    seeds = [_seed(1, [1, 1, 1]), _seed(2, [2, 2]), _seed(3, [6, 6], [1, 2]), _seed(4, [5], [3])]
    mean = mean_over_seeds(seeds)
    assert mean.x.tolist() == [1]
    assert_allclose(mean.y, [3])
    assert_allclose(mean.deviation, [np.std([1, 2, 6], ddof=1)])
    assert mean.runs.tolist() == ["mean of 1, 2, 3"]


def test_seeds_are_matched_by_x_in_any_order() -> None:
    mean = mean_over_seeds([_seed(1, [1, 2, 3]), _seed(2, [30, 10, 20], [2, 0, 1])])
    assert_allclose(mean.y, [5.5, 11, 16.5])


def test_a_seed_that_diverged_is_in_no_mean_and_not_counted() -> None:
    seeds = [_seed(1, [1, 1]), _seed(2, [3], [0]), _seed(3, [900, 900], diverged="diverged at epoch 2")]
    mean = mean_over_seeds(seeds)
    # at 1 there is one of two
    assert mean.x.tolist() == [0]
    assert_allclose(mean.y, [2])


def test_the_mean_of_one_remaining_seed_has_no_deviation() -> None:
    mean = mean_over_seeds([_seed(1, [1, 4]), _seed(2, [3, 3], diverged="diverged at epoch 2")])
    assert_allclose(mean.y, [1, 4])
    assert np.isnan(mean.deviation).all()


def test_if_all_diverged_there_is_no_mean() -> None:
    mean = mean_over_seeds([_seed(seed, [1, 4], diverged="diverged at epoch 2") for seed in (1, 2)])
    assert [len(part) for part in (mean.x, mean.y, mean.deviation, mean.runs)] == [0, 0, 0, 0]


def test_band_thin_lines_and_mean_are_drawn_and_kept() -> None:
    axes, canvas = drawn(_seeds())
    *thin, mean = axes.lines
    assert [line.get_ydata().tolist() for line in thin] == VALUES.tolist()
    assert all(line.get_linewidth() < mean.get_linewidth() and line.get_alpha() < 1 for line in thin)
    assert all(line.get_zorder() < mean.get_zorder() for line in thin)
    assert axes.get_legend_handles_labels()[1] == ["name"]
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    for x, y, deviation in zip([0, 1, 2], [4, 3, 5], np.sqrt([13, 3, 13]), strict=True):
        at = corners[corners[:, 0] == x, 1]
        assert (at.min(), at.max()) == pytest.approx((y - deviation, y + deviation))
    table = canvas.table()
    assert list(table) == ["panel", "series", "run", "x", "y", "deviation"]
    single, means = table[table["deviation"].isna()], table[table["deviation"].notna()]
    assert single["run"].tolist() == [_run(seed) for seed in (1001, 1002, 1003) for _ in range(3)]
    assert single["y"].tolist() == VALUES.ravel().tolist()
    assert set(means["run"]) == {"mean of 1001, 1002, 1003"}
    assert_allclose(means["y"], [4, 3, 5])
    assert_allclose(means["deviation"], np.sqrt([13, 3, 13]))


def test_one_seed_is_a_plain_line() -> None:
    axes, canvas = drawn(_seeds()[:1])
    (line,) = axes.lines
    assert line.get_alpha() is None
    assert not axes.collections
    assert list(canvas.table()) == ["panel", "series", "run", "x", "y"]
    assert canvas.table()["run"].tolist() == [_run(1001)] * 3


def test_a_logarithmic_axis_keeps_the_band_above_zero() -> None:
    """The mean includes values that are not drawn; the band ends at the lowest drawn value."""
    axes, canvas = drawn([_seed(1, [1, 20]), _seed(2, [-0.5, 0.5])], yscale="log")
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 20], [0.5], [0.25, 10.25]]
    corners = axes.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == 0.5
    assert canvas.table()["y"].tolist() == [1, 20, 0.5, 0.25, 10.25]


def test_on_a_logarithmic_axis_the_error_of_one_seed_ends_at_its_lowest_value() -> None:
    axes, _ = drawn([OfSeed(_run(1), np.arange(2), np.array([4.0, 2]), error=np.array([1.0, 3]))], yscale="log")
    corners = axes.collections[0].get_paths()[0].vertices
    assert set(corners[:, 1]) == {3, 5, 2}


def test_circles_stand_on_the_mean_where_any_seed_missed() -> None:
    flags = np.eye(3, dtype=bool)[:2]  # the first seed at 0, the second at 1
    seeds = [OfSeed(_run(seed), np.arange(3), VALUES[seed], missed=flags[seed]) for seed in range(2)]
    axes, _ = drawn(seeds)
    assert_allclose(axes.collections[-1].get_offsets(), [[0, 2], [1, 3.5]])


@pytest.mark.parametrize(
    ("diverged", "text"),
    [
        ({1001: "diverged at epoch 2"}, "diverged at epoch 2"),
        ({1001: "", 1002: ""}, ""),
        ({1001: "", 1002: "diverged at epoch 2"}, "seed 1002 diverged at epoch 2"),
        ({1: "diverged at epoch 2", 2: "", 3: "diverged at epoch 3.5"}, "seeds 1, 3 diverged at epochs 2, 3.5"),
    ],
)
def test_the_seeds_that_diverged_are_named(diverged: dict[int, str], text: str) -> None:
    assert name_diverged({_run(seed): what for seed, what in diverged.items()}) == text


def test_the_foot_explains_the_drawing_of_several_seeds() -> None:
    assert seeds_line([1, 1]) == ""
    assert seeds_line([5, 5]) == "Lines: means over 5 seeds; bands: one standard deviation; thin: single seeds."
    assert seeds_line([1, 3, 2]).startswith("Lines: means over 2 or 3 seeds;")
