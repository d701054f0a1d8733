"""Each quantity against numbers worked out by hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sharpest.claims.catapults import EDGE_TEST
from sharpest.claims.curves import BRANCHES, DENSITIES, UPDATES
from sharpest.claims.end_points import update_difference
from sharpest.claims.ledger import Claim
from sharpest.claims.quantities import QUANTITIES
from sharpest.claims.quantity import RunFiles, RunSource
from sharpest.claims.shapes import UnmeasuredError
from sharpest.claims.steps import lowest_point
from sharpest.claims.verdicts import Sample
from sharpest.measures.directions import random_cosine

from .conftest import RUN, SCHEDULES

OF_LATER_PAPERS = (*UPDATES, *BRANCHES, *DENSITIES, *EDGE_TEST)
TRUNK, BRANCH = "trunk", "branch"
DOCS = Path(__file__).parents[3] / "docs" / "claims.md"


def test_every_quantity_is_used_and_every_one_in_the_ledger_is_known(ledger: tuple[Claim, ...]) -> None:
    assert {claim["quantity"] for claim in ledger} == set(QUANTITIES) - {quantity.name for quantity in OF_LATER_PAPERS}


def test_the_docs_define_every_quantity() -> None:
    rows = DOCS.read_text().splitlines()
    for quantity in QUANTITIES.values():
        assert f"| `{quantity.name}` | {quantity.unit} | {quantity.definition} |" in rows


def test_peaks(folder: Any, read: Any) -> None:
    first = np.array([0, 0, 10, 10, 10, 10, 10, 0, 0, 0.0])
    folder.spectra(RUN, "grid", np.stack([first, first / 2], axis=1))
    assert read("lambda_max_peak") == 10
    assert read("lambda2_peak") == 5
    assert read("lambda_max_peak_epoch") == 4
    assert read("lambda_max_peak_iteration") == 40
    assert read("lambda_max_peak_ratio") == 10  # the maximum of each group, before their comparison
    assert read("eta_lambda_product") == pytest.approx(0.3)
    assert read("lambda_max").values[:, 0].tolist() == first.tolist()


def test_untrained_batch_averages_do_not_count_as_a_peak(folder: Any, read: Any) -> None:
    folder.spectra(RUN, "grid", [900, 1, 1, 1, 1, 1, 1], norm=True)
    assert read("lambda_max_peak") == 1
    folder.spectra("plain", "grid", [900, 1, 1, 1, 1, 1, 1])
    assert read("lambda_max_peak", run="plain") == pytest.approx(180.8)


def test_other_eigenvalues_are_those_of_next_magnitude(folder: Any, read: Any) -> None:
    folder.spectra(RUN, "grid", [[9, 4, 1, -5]] * 5)
    assert read("lambda_2_to_10").values[0].tolist() == [5, 4, 1]


def test_windows(folder: Any, read: Any) -> None:
    folder.spectra(RUN, "grid", np.arange(401))
    assert read("lambda_max_zoom", window=40).epoch[-1] == 40
    assert read("lambda_max_zoom_start", window=40).epoch[-1] == 8
    assert read("lambda_max_zoom_start", window=10).epoch[-1] == 4  # five points


def test_before_the_drop_of_the_accuracy(folder: Any, read: Any) -> None:
    folder.spectra(RUN, "grid", np.arange(8), train_accuracy=[0.1, 0.3, 0.5, 0.7, 0.2, 0.4, 0.6, 0.8])
    assert read("lambda_max_before_drop").epoch[-1] == 3
    assert read("acc_drop") == pytest.approx(50)
    folder.spectra("calm", "grid", np.arange(8), train_accuracy=[0.1, 0.3, 0.5, 0.45, 0.6, 0.7, 0.8, 0.9])
    assert read("lambda_max_before_drop", run="calm").epoch[-1] == 7


def test_the_measurement_error_is_carried_along(folder: Any, read: Any) -> None:
    """A residual is relative to the largest magnitude; an accuracy is from 100 images (see the fixture)."""
    residuals = [[0.01, 0]] * 6
    folder.spectra(RUN, "grid", [[3, -20]] * 6, residuals=residuals, train_accuracy=[0.2] * 6)
    assert read("lambda_max_zoom", window=5).values[0].tolist() == pytest.approx([3, 0.2])
    assert read("train_acc").values[0].tolist() == pytest.approx([20, 4])


def test_the_accuracy_moves_against_the_curvature(folder: Any, read: Any) -> None:
    """First both grow, which is not a swing; then one swings against the other."""
    t = np.arange(41)
    wave = np.sin(t)
    folder.spectra(RUN, "grid", t + wave, train_accuracy=(50 + t - wave) / 100)
    assert read("train_acc_with_lambda_max", window=40) == pytest.approx(-1)
    folder.spectra("along", "grid", t + wave, train_accuracy=(50 + t + wave) / 100)
    assert read("train_acc_with_lambda_max", run="along", window=40) == pytest.approx(1)
    folder.spectra("beside", "grid", t + wave, train_accuracy=(50 + t + np.cos(t)) / 100)
    assert abs(read("train_acc_with_lambda_max", run="beside", window=40)) < 0.2
    with pytest.raises(UnmeasuredError, match="only 14 points"):
        read("train_acc_with_lambda_max", window=13)


def test_early_maximum_ends_with_the_early_epoch(folder: Any, read: Any) -> None:
    folder.evaluations(RUN)
    folder.spectra(RUN, "grid", [99, 1, 3, 2, 4, 50])
    assert read("lambda_max_early") == 4
    folder.spectra("short", "grid", [99, 1, 3])
    folder.evaluations("short")
    with pytest.raises(UnmeasuredError, match="ended at epoch 2, before epoch 4"):
        read("lambda_max_early", run="short")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lambda_max_peak", "diverged at epoch 1.5"),
        ("lambda_max_zoom", "diverged at epoch 1.5"),
        ("alpha_change_pct", "diverged at epoch 1.5"),
        ("test_acc", "diverged at epoch 1.5"),
        ("lambda_after", "diverged at iteration 60"),  # the input counts iterations
        ("val_acc_final", "diverged at epoch 2"),  # the end of the epoch
        ("train_acc_final", "diverged at epoch 2"),
    ],
)
def test_a_diverged_run_gives_no_number_and_the_epoch(name: str, reason: str, folder: Any, read: Any) -> None:
    folder.spectra(RUN, "grid", [1, 2, math.nan], diverged=1.5)
    folder.directions(RUN, "grid", 3)
    folder.evaluations(RUN, diverged=1.5)
    folder.snapshots(RUN, diverged=60, refresh_loss=np.ones(10))
    folder.history(RUN, [0.5, math.nan])
    with pytest.raises(UnmeasuredError) as caught:
        read(name, "1", window=5.0)
    assert str(caught.value) == reason


def test_a_window_before_the_divergence_counts(folder: Any, read: Any) -> None:
    folder.spectra(RUN, "grid", [1, 2, 3, 4, 5, 6, math.nan], diverged=6)
    assert read("lambda_max_zoom", window=5).values[-1, 0] == 6
    with pytest.raises(UnmeasuredError, match="diverged at epoch 6"):
        read("lambda_max_zoom", window=6)


def test_change_after_the_drop(folder: Any, read: Any) -> None:
    """40 epochs: the last two, and the two before the drop at epoch 10."""
    folder.spectra(TRUNK, "grid", np.stack([[7] * 9 + [10, 20] + [99] * 5, [0] * 16], axis=1))
    epoch = np.arange(10, 41)
    curves = np.stack([np.where(epoch == 10, 20, np.where(epoch > 38, 50, 1)), np.zeros(31)], axis=1)
    folder.spectra(BRANCH, "grid", curves, epoch=epoch, iteration=10 * epoch)
    assert read("lambda_max_change_after_drop", run=BRANCH, parent=TRUNK) == pytest.approx(50 - 15)
    assert read("frobenius_change_after_drop", run=BRANCH, parent=TRUNK) == pytest.approx(50 - 15)


def test_the_initial_weights_are_not_before_the_drop(folder: Any, read: Any) -> None:
    folder.spectra(TRUNK, "grid", [99, 3, 99])
    epoch = np.arange(1, 41)
    folder.spectra(BRANCH, "grid", np.full(40, 10), epoch=epoch, iteration=10 * epoch)
    assert read("lambda_max_change_after_drop", run=BRANCH, parent=TRUNK) == pytest.approx(10 - 3)


def test_a_history_without_an_epoch_gives_no_number(folder: Any, read: Any) -> None:
    folder.history(RUN, [])
    for name in ("val_acc_final", "train_acc_final"):
        with pytest.raises(UnmeasuredError, match="no finite measurement"):
            read(name)


def test_final_accuracy_is_the_mean_of_the_last_twentieth(folder: Any, read: Any) -> None:
    folder.history(RUN, [0.1] * 38 + [0.5, 0.7])
    assert read("val_acc_final") == pytest.approx(60)
    assert read("train_acc_final") == pytest.approx(70)


@pytest.mark.parametrize(("count", "used"), [(1001, 100), (41, 20)])
def test_the_end_of_a_branch(count: int, used: int, folder: Any, read: Any) -> None:
    rising = np.arange(count)
    folder.snapshots(RUN, refresh_loss=rising, eigenvalues=10 * rising[:, None])
    assert read("loss_after") == pytest.approx(count - 1 - (used - 1) / 2)
    assert read("lambda_after") == pytest.approx(10 * read("loss_after"))


def alpha_study(t: int) -> dict[str, Any]:
    """The loss changes by 1 to 5 per cent at five alphas along e_1, ten times that along e_3; more at the end."""
    change = (
        0.02 * np.arange(1, 6) * np.array([1, 10, 0])[:, None] * np.where(np.arange(t) < t - 25, 0, 1)[:, None, None]
    )
    return {"loss_change": change}


def test_alpha_changes_are_those_of_the_last_points(folder: Any, read: Any) -> None:
    folder.spectra(RUN, "grid", np.arange(111))
    folder.directions(RUN, "grid", 111, **alpha_study(111))
    assert read("alpha_change_pct", "0.25") == pytest.approx(1)
    assert read("alpha_change_pct", "4") == pytest.approx(5)
    assert read("alpha_change_pct_e3", "2") == pytest.approx(40)
    assert read("alpha_change_pct_all", "4") == pytest.approx(5 * 25 / 111)


def test_alpha_changes_of_fewer_points_are_those_of_the_same_share(folder: Any, read: Any) -> None:
    t = 40
    folder.spectra(RUN, "grid", np.arange(t))
    change = np.where(np.arange(t) < t - 9, 0, 0.02)[:, None, None] * np.ones((t, 3, 5))
    folder.directions(RUN, "grid", t, loss_change=change)
    assert read("alpha_change_pct", "1") == pytest.approx(1)  # 9 of 40 are 25 of 110
    assert read("alpha_change_pct_late", "1") == pytest.approx(9 / 25)


def test_surface(folder: Any, read: Any) -> None:
    """Walls at 2.4 and 2.2 around 2.0: the lower one is a tenth higher; points without an alpha study do not count."""
    t = 12
    folder.spectra(RUN, "grid", np.r_[np.zeros(t - 5), np.full(5, 8)])
    profile = np.tile([2.4, 2, 2, 2, 2.2], (t, 3, 1))
    studied = np.arange(t) % 2 == 1
    profile[~studied] = 9
    change = np.where(studied, 0.1, math.nan)[:, None, None] * np.ones((t, 3, 5))
    folder.directions(RUN, "grid", t, profile=profile, loss_change=change)
    assert read("surface_rise", "e1") == pytest.approx(10)
    profile[studied, 1] = [2.05, 2, 2, 2, 2.4]
    folder.directions("flatter", "grid", t, profile=profile, loss_change=change)
    folder.spectra("flatter", "grid", np.zeros(t))
    assert read("surface_rise_ratio", "e3", run="flatter") == pytest.approx(0.05 / 0.2)
    assert read("surface_curvature") == pytest.approx(8 * 3 / 5)  # points 3, 5, 7, 9 and 11


def test_the_surface_is_read_at_its_walls(folder: Any, read: Any) -> None:
    """The grid extends beyond -5 and 5; the loss is lower there than at the walls, and inside as low as the start."""
    folder.spectra(RUN, "grid", np.zeros(6))
    grid = np.array([-9.0, -5, -1, 0, 1, 5, 9])
    folder.directions(RUN, "grid", 6, grid=grid, profile=np.tile([2, 2.4, 2, 2, 2, 2.6, 2], (6, 3, 1)))
    assert read("surface_rise", "e1") == pytest.approx(20)
    folder.directions(RUN, "grid", 6, grid=grid, profile=np.tile([2, 2.8, 2, 2, 2, 2.6, 2], (6, 3, 1)))
    assert read("surface_rise", "e3") == pytest.approx(30)


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ("profile", ["surface_rise", "surface_rise_ratio"]),
        ("loss", ["surface_rise", "surface_rise_ratio"]),
        ("loss_change", ["surface_rise", "surface_rise_ratio", "surface_curvature"]),
    ],
)
def test_a_surface_without_a_finite_point_gives_no_number(
    missing: str, names: list[str], folder: Any, read: Any
) -> None:
    """Nor does a surface without an alpha study."""
    shape = {"profile": (6, 3, 5), "loss": (6,), "loss_change": (6, 3, 5)}[missing]
    folder.spectra(RUN, "grid", np.zeros(6))
    folder.directions(RUN, "grid", 6, **{missing: np.full(shape, math.nan)})
    for name in names:
        with pytest.raises(UnmeasuredError, match="no finite measurement"):
            read(name, "e1")


def test_alignment(folder: Any, read: Any) -> None:
    folder.spectra(RUN, "grid", np.zeros(6))
    folder.directions(RUN, "grid", 6, cosine=np.tile([0.1, 0.2, 0.6], (6, 1)) * np.arange(1, 7)[:, None])
    assert read("mean_abs_cosine_over_random") * random_cosine(50) == pytest.approx(0.3 * 3.5)
    assert read("mean_abs_cosine_max") == pytest.approx(0.3 * 4)
    vectors = np.random.default_rng(0).standard_normal((2, 4000, 50))
    cosines = np.abs((vectors[0] * vectors[1]).sum(1)) / np.linalg.norm(vectors, axis=2).prod(0)
    assert read("mean_abs_cosine_over_random") == pytest.approx(0.3 * 3.5 / cosines.mean(), rel=0.05)


def test_chance_has_the_formula_of_the_measure(folder: Any, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.spectra(RUN, "grid", np.zeros(6))
    folder.directions(RUN, "grid", 6, cosine=np.full((6, 3), 0.5))
    monkeypatch.setattr("sharpest.measures.directions.gammaln", lambda x: 0 * x)
    assert read("mean_abs_cosine_over_random") == pytest.approx(0.5 * math.sqrt(math.pi))


def test_curvature_is_that_of_the_iterations_of_the_directions(folder: Any, read: Any) -> None:
    """Spectra at iterations 0, 10, 20 and so on, directions at every third of them."""
    folder.spectra(RUN, "grid", np.arange(15))
    folder.directions(RUN, "grid", 5, iteration=30 * np.arange(5), epoch=3 * np.arange(5))
    assert read("surface_curvature") == pytest.approx(np.mean([0, 3, 6, 9, 12]))


def test_crossing_the_minimum(folder: Any, read: Any) -> None:
    """The minimum is half a mean step down the gradient: a step of 1 crosses it, one of 0.4 or uphill does not."""
    folder.spectra(RUN, "grid", np.zeros(3))
    grid = np.array([-5.0, -1, 0, 1, 5])
    projection = np.zeros((3, 5, 3))
    projection[:, :, 0] = [-2, -0.2, 0.2, -1.3, -1.3]  # of mean 1
    profile = np.tile((grid - 0.5) ** 2, (3, 3, 1))
    profile[2] = -grid  # lowest at the end of the grid
    arrays = {"projection": projection, "profile": profile, "gradient_norm": np.ones((3, 5))}
    folder.directions(RUN, "grid", 3, **arrays)
    assert read("crossing_fraction") == pytest.approx((3 / 5 + 3 / 5 + 0) / 3)


@pytest.mark.parametrize(
    ("profile", "place"), [([4, 1, 0, 1, 4], 0), ([9, 4, 1, 0, 1], 1), ([0, 1, 2, 3, 4], -math.inf)]
)
def test_lowest_point(profile: list[float], place: float) -> None:
    assert lowest_point(np.array([-2.0, -1, 0, 1, 2]), np.array(profile, float)) == pytest.approx(place)


def test_lowest_point_lies_between_the_points_of_an_uneven_grid() -> None:
    grid = np.array([-2, -0.5, 0.25, 1, 3])
    assert lowest_point(grid, 3 * (grid - 0.6) ** 2 + 1) == pytest.approx(0.6)
    assert math.isnan(lowest_point(grid, np.full(5, math.nan)))


def test_end_points(folder: Any, read: Any) -> None:
    folder.evaluations(
        RUN, test_accuracy=[0.9, 0.8], train_loss=[0.4, 0.02], distance=[3, 9], frobenius=[20, 30],
        eigenvalues=[[7, 1, -8], [5, 2, 1]],
    )  # fmt: skip
    folder.history(RUN, [0.1, 0.2, 0.3, 0.62, 0.7])
    folder.snapshots(RUN, epoch_seconds=[1.0, 9.0, 1.5])
    numbers = {
        "test_acc": 90, "test_acc_diff": 90, "val_acc_50": 62, "val_acc_10": 62, "val_acc_50_diff": 62,
        "val_acc_10_diff": 62,
        "loss_final": 0.02, "dist": 3, "frobenius_best": 20, "frobenius_final": 30, "frobenius_final_ratio": 30,
        "lambda_max_best": 7, "lambda_max_final": 5, "epoch_time_ratio": 1.5, "diverged": 0,
    }  # fmt: skip
    assert {name: read(name) for name in numbers} == pytest.approx(numbers)


def test_an_accuracy_has_its_number_of_examples(folder: Any) -> None:
    folder.evaluations(RUN, test_accuracy=[0.9, 0.8])
    number = QUANTITIES["test_acc"].read(RunFiles(RunSource(run=RUN, schedules=SCHEDULES), folder.results), "")
    assert isinstance(number, Sample)
    assert number.error == pytest.approx(3, rel=0.15)  # of 100 images, by 200 replicates


def test_a_run_that_ended_before_its_early_epoch(folder: Any, read: Any) -> None:
    folder.evaluations(RUN)
    folder.history(RUN, [0.5] * 3)
    with pytest.raises(UnmeasuredError, match="not measured"):
        read("val_acc_50")


@pytest.mark.parametrize(
    ("diverged", "losses", "answer"),
    [
        (3.0, [0.1, 0.1], 1), (None, [2.3, 2.3], 1), (None, [0.1, 2.3], 0), (None, [2.3, 0.1], 0),
        (None, [0.951 * math.log(10), 2.3], 1), (None, [0.949 * math.log(10), 2.3], 0),
        (None, [2.3, 0.951 * math.log(10)], 1), (None, [2.3, 0.949 * math.log(10)], 0),
        (None, [math.nan, 2.3], 0),
    ],
)  # fmt: skip
def test_diverged(diverged: float | None, losses: list[float], answer: float, folder: Any, read: Any) -> None:
    """At both points the loss is at least 95 % of that of guessing among ten classes, or the run diverged."""
    folder.evaluations(RUN, diverged=diverged, train_loss=losses)
    assert read("diverged") == answer


def test_newton() -> None:
    assert update_difference() < 1e-12


def test_the_loss_of_a_branch_over_its_start_and_over_another(folder: Any, read: Any) -> None:
    loss = np.array([0.8, 0.3, 0.6])
    arrays = {"iteration": np.arange(3), "epoch": np.arange(3), "train_loss": loss}
    folder.write_measure("spectra", RUN, "grid", {"t": 3, "k": 1}, arrays, lr=0.1)
    assert read("loss_kept") == pytest.approx(0.75)
    assert read("last_loss_ratio") == pytest.approx(0.6)  # the mean of each group, before their comparison
    folder.write_measure("spectra", RUN, "grid", {"t": 3, "k": 1}, arrays, lr=0.1, diverged_epoch=2.0)
    with pytest.raises(UnmeasuredError, match="diverged"):
        read("loss_kept")
