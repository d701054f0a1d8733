"""Measurement points: the grammar, against points computed by hand, and properties of every schedule."""

from contextlib import suppress
from itertools import pairwise

import pytest
from builders import hessian_settings, nsgd_settings, run_settings
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from sharpest.config.measures import Planned
from sharpest.config.schedule import GRAMMAR, measurement_points
from sharpest.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "num_epochs", "steps_per_epoch", "lr", "points"),
    [
        # the window ends at 20; multiples of 10 follow
        ("every 4 iterations for 2 epochs, then every epoch", 4, 10, 0.1, [0, 4, 8, 12, 16, 20, 30, 40]),
        # the window ends at 14, between two multiples of 4, and epochs of 7 start at 21
        ("every 4 iterations for 2 epochs, then every epoch", 4, 7, 0.1, [0, 4, 8, 12, 21, 28]),
        ("every epoch", 3, 351, 0.1, [0, 351, 702, 1053]),
        ("every 2 epochs", 5, 3, 0.1, [0, 6, 12]),
        ("every iteration for 0.5 epochs, then every epoch", 2, 8, 0.1, [0, 1, 2, 3, 4, 8, 16]),
        # steps of 0.2 / 0.1 = 2 for 2 / 0.1 = 20 iterations, then of 1 / 0.1 = 10
        (
            "every 0.2/lr iterations for 2/lr iterations, then every 1/lr iterations",
            5,
            10,
            0.1,
            [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 30, 40, 50],
        ),
        # 0.2 / 0.4 rounds to zero iterations; the shortest step is one
        ("every 0.2/lr iterations", 1, 3, 0.4, [0, 1, 2, 3]),
        ("every 2 iterations for 4 iterations, then every 3 iterations for 6 iterations, then every epoch", 2, 9, 0.1,
         [0, 2, 4, 6, 9, 18]),
        ("at iterations 0, 4, 120", 12, 10, 0.1, [0, 4, 120]),
        ("at iterations 7,3", 1, 10, 0.1, [3, 7]),
        ("at iteration 5", 1, 5, 0.1, [5]),
        ("5 points", 2, 10, 0.1, [0, 5, 10, 15, 20]),
        # 121 (i / 11)^2 = i^2
        ("12 points, dense at the start", 11, 11, 0.1, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121]),
        # 4 (i / 4)^2 = 0, 0.25, 1, 2.25, 4; the first two are the same point
        ("5 points, dense at the start", 1, 4, 0.1, [0, 1, 2, 4]),
        ("3 points from iteration 10", 3, 10, 0.1, [10, 20, 30]),
        # 4 + 16 (i / 4)^2
        ("5 points from iteration 4, dense at the start", 2, 10, 0.1, [4, 5, 8, 13, 20]),
        ("5 points, dense at the start, snapped to epochs", 4, 10, 0.1, [0, 2, 10, 20, 40]),
    ],
)  # fmt: skip
def test_points_by_hand(text: str, num_epochs: int, steps_per_epoch: int, lr: float, points: list[int]) -> None:
    assert measurement_points(text, num_epochs, steps_per_epoch, lr) == points


def test_the_papers_500_measurements() -> None:
    """Fig. 5 (inventory): 500 measurements a run, the first of them at 14 iterations."""
    points = measurement_points("every 14 iterations for 7000 iterations", 200, 351, 0.1)
    assert points == [14 * i for i in range(501)]


lengths = st.builds(
    lambda number, unit: f"{number}{unit}",
    st.integers(1, 20) | st.floats(0.01, 20).map(lambda x: round(x, 3)),
    st.sampled_from([" iterations", " epochs", "/lr iterations"]),
)


@st.composite
def segmented(draw: st.DrawFn) -> str:
    windows = draw(st.lists(st.tuples(lengths, lengths), max_size=2))
    return ", then ".join([*(f"every {step} for {span}" for step, span in windows), f"every {draw(lengths)}"])


counted = st.builds(
    "{} points{}{}{}".format,
    st.integers(2, 30),
    st.just("") | st.integers(0, 50).map(" from iteration {}".format),
    st.sampled_from(["", ", dense at the start"]),
    st.sampled_from(["", ", snapped to epochs"]),
)
listed = st.lists(st.integers(0, 400), min_size=1).map(lambda points: f"at iterations {', '.join(map(str, points))}")
schedules = segmented() | counted | listed


@given(schedules, st.integers(1, 20), st.integers(1, 30), st.sampled_from([0.001, 0.1, 0.7]))
def test_points_increase_within_the_run(text: str, num_epochs: int, steps_per_epoch: int, lr: float) -> None:
    last = num_epochs * steps_per_epoch
    try:
        points = measurement_points(text, num_epochs, steps_per_epoch, lr)
    except ConfigError:
        reject()  # outside the run
    assert points == sorted(set(points))
    assert 0 <= points[0] <= points[-1] <= last
    assert points[0] == 0 or text.startswith("at ") or f"from iteration {points[0]}" in text
    assert points[-1] == last or "points" not in text


@given(st.integers(2, 30), st.sampled_from(["", ", dense at the start"]), st.integers(1, 20), st.integers(1, 30))
def test_snapped_points_move_to_ends_of_epochs(count: int, dense: str, num_epochs: int, steps_per_epoch: int) -> None:
    assume(count <= num_epochs * steps_per_epoch + 1)
    text = f"{count} points{dense}"
    points = measurement_points(text, num_epochs, steps_per_epoch, 0.1)
    snapped = measurement_points(f"{text}, snapped to epochs", num_epochs, steps_per_epoch, 0.1)
    assert len(snapped) == len(points)
    for (before, point), moved in zip(pairwise(points), snapped[1:], strict=True):
        if point - before > steps_per_epoch:
            assert moved % steps_per_epoch == 0
            assert abs(moved - point) <= steps_per_epoch / 2
        else:
            assert moved == point


@given(st.integers(2, 100), st.integers(1, 20), st.integers(1, 30))
def test_dense_points_have_growing_distances(count: int, num_epochs: int, steps_per_epoch: int) -> None:
    assume(count <= num_epochs * steps_per_epoch + 1)
    points = measurement_points(f"{count} points, dense at the start", num_epochs, steps_per_epoch, 0.1)
    distances = [b - a for a, b in pairwise(points)]
    # each point is rounded, so a distance may be one too short
    assert all(later >= earlier - 1 for earlier, later in pairwise(distances))


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        # outside a run of 5 epochs of 10
        ("at iterations 0, 51", "iteration 51 lies outside the run, which ends at 50"),
        ("every 4 iterations for 52 iterations", "shorten the schedule or lengthen the run"),
        ("every 4 iterations for 2 epochs, then every 3 epochs for 9 epochs", "shorten the schedule"),
        ("every iteration for 999999999 epochs", "shorten the schedule"),
        ("52 points", "ask for 2 to 51 points"),
        ("999999999 points", "ask for 2 to 51 points"),
        ("1 points", "ask for 2 to 51 points"),
        ("12 points from iteration 40", "ask for 2 to 11 points, the run ends at iteration 50"),
        ("2 points from iteration 60", "ask for 2 to 0 points, the run ends at iteration 50"),
        ("12 points from 40", GRAMMAR),
        ("0 points, dense at the start", "ask for 2 to 51 points"),
        # no length
        ("every 0 iterations", "'every 0 iterations' is 0; write one above 0"),
        ("every 0.0 epochs", "write one above 0"),
        ("every 0/lr iterations", "write one above 0"),
        ("every 4 iterations for 0 epochs, then every epoch", "write one above 0"),
        # nothing can follow
        ("every epoch, then every iteration", "add 'for N epochs'"),
        # not in the grammar
        ("", GRAMMAR),
        ("never", GRAMMAR),
        ("every 4", GRAMMAR),
        ("every 4 steps", GRAMMAR),
        ("every -4 iterations", GRAMMAR),
        ("every 04 iterations", GRAMMAR),
        ("every 1e3 iterations", GRAMMAR),
        ("every inf iterations", GRAMMAR),
        ("every nan/lr iterations", GRAMMAR),
        (f"every {'9' * 400} iterations", GRAMMAR),
        (f"{'9' * 5000} points", GRAMMAR),
        ("every 4 iterations then every epoch", GRAMMAR),
        ("every 4 iterations for 2 epochs, then ", GRAMMAR),
        ("Every epoch", GRAMMAR),
        ("every epoch\n", GRAMMAR),
        ("12.5 points", GRAMMAR),
        ("at iterations", GRAMMAR),
        ("at iterations 04", GRAMMAR),
        ("at iterations -4", GRAMMAR),
        ("at iterations 0; 4", GRAMMAR),
    ],
)
def test_an_invalid_schedule_is_refused_with_a_remedy(text: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        measurement_points(text, num_epochs=5, steps_per_epoch=10, lr=0.1)
    assert repr(text) in str(caught.value)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(st.sampled_from("every points at iterations for then , 0123456789./lr-"), max_size=60))
def test_any_text_is_a_schedule_or_a_config_error(text: str) -> None:
    with suppress(ConfigError):
        measurement_points(text, num_epochs=5, steps_per_epoch=10, lr=0.1)


@pytest.mark.parametrize(
    ("changes", "iteration", "with_vectors", "recorded"),
    [
        ({"refresh_every": 4, "keep_vectors": True}, 8, True, True),
        ({"refresh_every": 4, "keep_vectors": True}, 9, True, False),
        ({"refresh_every": 4, "keep_vectors": False}, 8, True, False),
        ({"refresh_every": 4, "keep_vectors": False}, 8, False, True),
        ({"refresh_every": None}, 5, False, True),  # at the end of an epoch of five steps
        ({"refresh_every": None}, 8, False, False),
        ({"refresh_every": 4, "num_eigenpairs": 2}, 8, False, False),
        ({"refresh_every": 4, "hessian": hessian_settings(chunk_size=3)}, 8, False, False),
    ],
)
def test_what_training_records_need_not_be_measured(changes, iteration, with_vectors, recorded):
    nudge = nsgd_settings(**{"hessian": hessian_settings(), **changes})
    point = Planned(run_settings(nudge=nudge), hessian_settings(), iteration, 0)
    assert point.recorded(3, with_vectors) == recorded
    assert not Planned(run_settings(), hessian_settings(), iteration, 0).recorded(3, with_vectors)
