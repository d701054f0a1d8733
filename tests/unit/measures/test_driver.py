"""A synthetic measure taken along a run: what the driver passes to it, and how it stores its values."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import Run, branch_settings, run_settings
from numpy.typing import NDArray
from sealed import changed

from sharpest.config.measures import Measure
from sharpest.errors import StoreError
from sharpest.measures.point import Point
from sharpest.results.layout import Dataset, measured_layout
from sharpest.results.shards import merge_shards
from sharpest.results.stored import Measured
from sharpest.results.whole import present

from .conftest import LAYOUT, TOY, Function, P, Settings, values_at

OWN = "iteration, norm, place, moments, early, vectors"  # the kinds of values that a measure may return


def thetas(run: Run, iterations: Sequence[int]) -> NDArray[np.float32]:
    return np.stack([state.theta.numpy() for state in run.replay().states(iterations)])


# --- what a file holds


def test_values_of_every_kind_are_in_the_file_row_by_row(run, take):
    """Scalars, columns, constants, vectors, and values at some points only, compared with replayed states."""
    segments = [[0, 3, 10], [12, 20]]
    taken, at = take(segments), [0, 3, 10, 12, 20]
    exact = thetas(run, at)
    assert taken.iteration.tolist() == at
    np.testing.assert_array_equal(taken.epoch, np.array(at) / 5)
    np.testing.assert_array_equal(taken["norm"], torch.from_numpy(exact).norm(dim=1).numpy())
    assert taken["place"].tolist() == [0, 1, 2, 0, 1]
    moments = [[(row.astype(float) ** power).mean() for power in (1, 2, 3)] for row in exact]
    np.testing.assert_allclose(taken["moments"], moments, rtol=1e-12, atol=1e-18)
    assert taken["powers"].tolist() == [1, 2, 3]
    assert np.isnan(taken["early"]).tolist() == [False, True, True, False, True]
    assert taken["vector_index"].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(taken["vectors"], np.stack([exact, 2 * exact], axis=1))


def test_attributes_record_the_plan_and_the_replay(run, take):
    taken = take([[0, 3, 13], [99]])
    known = {name: taken.attributes[name] for name in ("lr", "mode", "diverged_epoch", "planned_points")}
    assert known == {"lr": 0.1, "mode": run.problem().model.mode, "diverged_epoch": None, "planned_points": 4}
    # the intervals 0 to 5 and 10 to 20 were entered
    assert (taken.attributes["replays_checked"], taken.attributes["replay_drift"]) == (2, 0.0)


def test_without_vectors_their_array_is_empty(take):
    taken = take([[0, 3]], settings=Settings(rows=0))
    assert taken.shape("vectors") == (0, 2, P)
    assert taken["vector_index"].tolist() == []


@pytest.mark.parametrize("segments", [[], [[]], [[21, 500]]])
def test_no_points_give_empty_arrays_of_the_right_shapes(take, segments):
    taken = take(segments)
    shapes = {dataset.name: taken.shape(dataset.name) for dataset in LAYOUT.datasets}
    assert shapes == {
        "iteration": (0,), "epoch": (0,), "norm": (0,), "place": (0,), "moments": (0, 3), "powers": (3,),
        "early": (0,), "vector_index": (0,), "vectors": (0, 2, P),
    }  # fmt: skip
    assert taken["powers"].tolist() == [1, 2, 3]


def test_progress_counts_points_and_shows_the_first_number(take):
    reported = []
    taken = take([[0, 3], [10]], progress=lambda done, note: reported.append((done, note)))
    assert reported == [(0, ""), *((done, f"norm {norm:.3g}") for done, norm in enumerate(taken["norm"], start=1))]


@pytest.mark.parametrize("dtype", ["?", "i8", "f8"])
def test_a_note_shows_a_number_of_any_type(take, dtype):
    layout = measured_layout("toy", 1, Dataset("flag", dtype, ("t",), "", ""))
    measure = Measure("toy", Settings, layout, TOY.cost)
    notes = []
    taken = take([[0]], lambda *_: {"flag": True}, measure=measure, progress=lambda done, note: notes.append(note))
    assert notes == ["", "flag 1"]
    assert taken["flag"].tolist() == [1]


def test_a_note_shows_the_first_of_several_numbers(take):
    layout = measured_layout(
        "toy", 1, *(dataset for dataset in LAYOUT.datasets if dataset.name in ("moments", "powers"))
    )
    measure = Measure("toy", Settings, layout, TOY.cost, constants=TOY.constants)
    notes = []
    taken = take(
        [[0]],
        lambda point, settings: {"moments": values_at(point, settings)["moments"]},
        measure=measure,
        progress=lambda done, note: notes.append(note),
    )
    assert notes == ["", f"moments {taken['moments'][0, 0]:.3g}"]


def test_a_measure_of_vectors_alone_has_no_note(take):
    layout = measured_layout("toy", 1, *LAYOUT.datasets[-2:])
    measure = Measure("toy", Settings, layout, TOY.cost, sizes=TOY.sizes)
    notes = []
    taken = take(
        [[0, 3]],
        lambda point, settings: {"vectors": values_at(point, settings)["vectors"]},
        measure=measure,
        progress=lambda done, note: notes.append(note),
    )
    assert taken.shape("vectors") == (2, 2, P)
    assert notes == ["", "", ""]


# --- which points


def test_points_outside_of_the_run_are_left_out(take):
    taken = take([[-5, 0, 20, 21], [30]])
    assert taken.iteration.tolist() == [0, 20]
    assert taken.attributes["planned_points"] == 5


def test_a_branch_is_taken_from_its_branch_point_on(take, tmp_path):
    branch = Run(tmp_path, branch_settings(run_settings(), 2, lr_factor=0.1)).train()
    taken = take([[0, 9, 10, 13], [20, 21]], of=branch)
    assert taken.iteration.tolist() == [10, 13, 20]
    assert taken["place"].tolist() == [0, 1, 0]  # counted from the first point taken


def test_points_that_a_needed_measure_lacks_are_left_out(take):
    needed = take([[0, 3, 10, 17]], name="needed")
    taken = take([[0, 2, 3], [10, 12]], stored={"spectra": needed})
    assert taken.iteration.tolist() == [0, 3, 10]
    other = take([[0, 10]], name="other")
    assert take([[0, 2, 3], [10]], stored={"spectra": needed, "toy": other}).iteration.tolist() == [0, 10]


def test_a_measure_sees_the_values_of_another_at_its_point(run, take):
    needed = take([[0, 3, 10]], name="needed")

    def function(point: Point, settings: Settings) -> dict[str, Any]:
        seen = point.stored("other")
        assert int(seen["iteration"]) == point.iteration
        np.testing.assert_array_equal(seen["vectors"][0], point.theta)
        with pytest.raises(
            StoreError, match=r"^third was not measured for scnn\S+ at iteration \d+; add it to the needs"
        ):
            point.stored("third")
        return {**values_at(point, settings), "norm": 2 * seen["norm"]}

    taken = take([[3], [10]], function, stored={"other": needed})
    np.testing.assert_array_equal(taken["norm"], 2 * needed["norm"][1:])


def test_best_and_last_are_snapshots(run, take):
    taken = take([["best", "last"]])
    assert taken.iteration.tolist() == [5, 20]
    np.testing.assert_array_equal(taken["vectors"][:, 0], thetas(run, [5, 20]))


def test_a_best_that_is_the_last_is_taken_twice(take, tmp_path):
    run = Run(tmp_path, run_settings(epochs=1)).train()
    with changed(run.snapshots) as file:
        file.attrs["best"] = file.attrs["last"]
    taken = take([["best", "last"]], of=run)
    assert taken.iteration.tolist() == [5, 5]
    np.testing.assert_array_equal(taken["vectors"][0], taken["vectors"][1])


# --- segments


def sums(point: Point, settings: Settings) -> dict[str, Any]:
    """A value that depends on all earlier points of its segment."""
    total = point.carried.get("total", 0.0) + float(point.theta.norm())
    point.carried["total"] = total
    return {**values_at(point, settings), "norm": total}


def test_carried_values_stay_within_a_segment(run, take):
    at = [0, 3, 10, 12, 20]
    norms = torch.from_numpy(thetas(run, at)).norm(dim=1).double().numpy()
    taken = take([at[:2], at[2:]], sums)
    np.testing.assert_allclose(taken["norm"], [*np.cumsum(norms[:2]), *np.cumsum(norms[2:])], rtol=1e-14)


@pytest.mark.parametrize("segments", [[[0, 3], [4, 8, 13], [20]], [[0, 12], [13, 17], [25, 30]]])
def test_a_segment_has_the_same_bits_alone_and_among_others(take, tmp_path, segments):
    """Borders within an interval between snapshots, on a snapshot, and after the end."""
    together = take(segments, sums, name="together")
    shards = [take([segment], sums, name=f"{number}") for number, segment in reversed(list(enumerate(segments)))][::-1]
    merge_shards([str(shard.path) for shard in shards], str(tmp_path / "merged.h5"), LAYOUT)
    merged = Measured(present(tmp_path / "merged.h5"), LAYOUT)
    for dataset in LAYOUT.datasets:
        assert merged[dataset.name].tobytes() == together[dataset.name].tobytes(), dataset.name
        assert merged.shape(dataset.name) == together.shape(dataset.name)
    checked = ("planned_points", "replay_drift", "replays_checked")
    assert {merged.attributes[name] == together.attributes[name] for name in checked} == {True}


# --- what a measure may give


def refusal(take: Callable[..., Measured], tmp_path: Path, function: Function, **others: Any) -> str:
    """The message that refuses values: one line that names the measure; no file is left."""
    with pytest.raises(ValueError, match=r"^measure toy: ") as caught:
        take([[0, 3]], function, name="refused", **others)
    message = str(caught.value)
    assert "\n" not in message
    assert not list(tmp_path.glob("*refused*"))
    return message


def altered(**changes: Any) -> Function:
    """The values of the synthetic measure with replacements; ``...`` leaves one out."""

    def function(point: Point, settings: Settings) -> dict[str, Any]:
        values = {**values_at(point, settings), **changes}
        return {name: value for name, value in values.items() if value is not ...}

    return function


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (altered(nrom=1.0, colour=2.0), f"colour, nrom is not in its layout, which has {OWN}"),
        (altered(powers=[1, 2, 3]), f"powers is not in its layout, which has {OWN}"),
        (altered(place=...), "place is missing; only real numbers may be left out"),
        (altered(norm=np.zeros(1)), "norm has shape (1,), expected ()"),
        (altered(moments=torch.zeros(2)), "moments has shape (2,), expected (3,)"),
        (altered(moments=1.0), "moments has shape (), expected (3,)"),
        (altered(vectors=torch.zeros(2, P - 1)), f"vectors has shape (2, {P - 1}), expected (2, {P})"),
        (altered(vectors=torch.zeros(P)), f"vectors has shape ({P},), expected (2, {P})"),
        (altered(place=0.5), "place is of type float64, expected i8"),
        (altered(norm=None), "norm is of type object, expected f8"),
        (altered(norm=1j), "norm is of type complex128, expected f8"),
        (altered(norm="much"), "norm is of type <U4, expected f8"),
        (lambda *_: None, "gives NoneType, expected a value for each name"),
        (lambda *_: 3.0, "gives float, expected a value for each name"),
    ],
)
def test_values_that_do_not_fit_the_layout_are_refused(take, tmp_path, function, message):
    assert refusal(take, tmp_path, function) == f"measure toy: {message}"


@pytest.mark.parametrize("first", [True, False])
def test_vectors_are_kept_at_all_points_or_at_none(take, tmp_path, first):
    def function(point: Point, settings: Settings) -> dict[str, Any]:
        values = values_at(point, settings)
        return values if (point.place == 0) == first else {**values, "vectors": ...}

    def without(point: Point, settings: Settings) -> dict[str, Any]:
        return {name: value for name, value in function(point, settings).items() if value is not ...}

    assert refusal(take, tmp_path, without) == "measure toy: vectors are kept at all points or at none"


def test_an_array_that_is_the_same_everywhere_has_to_be_given(take):
    measure = Measure("toy", Settings, LAYOUT, TOY.cost, sizes=lambda settings, p: {"q": 2, "j": 3})
    with pytest.raises(ValueError, match=r"^toy: arrays missing \['powers'\], unknown \[\]$"):
        take([[0]], measure=measure)


def test_the_iteration_is_the_drivers(take):
    assert take([[3]], altered(iteration=7)).iteration.tolist() == [3]


def test_omitted_real_numbers_are_nan(take):
    taken = take([[0, 3]], altered(norm=..., moments=...))
    assert np.isnan(taken["norm"]).all()
    assert np.isnan(taken["moments"]).all()
