"""The published runs, against an independent table in this test (inventory 1.3, 4.2 and the figures of section 2)."""

import csv
import shutil
from itertools import product
from pathlib import Path

import pytest

from sharpest.config.project import Project, load_project
from sharpest.errors import ConfigError

CONFIG = Path(__file__).parents[3] / "config"


def ids(pattern: str, **values: list[str]) -> list[str]:
    """A pattern expanded with every combination of values."""
    return [pattern.format(**dict(zip(values, chosen, strict=True))) for chosen in product(*values.values())]


def grid(net: str, sizes: list[str]) -> list[str]:
    """Three learning rates at S 128, three batch sizes at 0.05."""
    return ids(f"{net}-c10-sgd-lr{{lr}}-S128-s777", lr=["0.1", "0.01", "0.001"]) + ids(
        f"{net}-c10-sgd-lr0.05-S{{size}}-s777", size=sizes
    )


def plateau(net: str, data: str, lr: str, k: str, seeds: list[str], gammas: list[str], middle: str = "") -> list[str]:
    """NSGD with each gamma, which is K directions, and the SGD run, which has gamma 1."""
    size = "S8" if data == "imdb" else "S128"
    return ids(
        f"{net}-{data}-nsgd-lr{lr}-{size}{middle}-g{{gamma}}-K{k}-plat-s{{seed}}", gamma=gammas, seed=seeds
    ) + ids(f"{net}-{data}-sgd-lr{lr}-{size}{middle}-plat-s{{seed}}", seed=seeds)


TWO, GAMMAS = ["777", "778"], ["0.01", "0.1", "5"]
TRUNK = "scnn-c10-sgd-lr0.01-S128-s777"
J_SMALL, J_RESNET = "scnn-c10-nsgd-lr0.01-S128-g0.01-K5-s777", "r32-c10-nsgd-lr0.01-S128-g0.01-K5-l2_1e-4-s777"

GROUPS: dict[str, list[str]] = {
    "A": [*grid("scnn", ["32", "128", "1024"]), "scnn-c10-sgd-lr0.005-S128-s777"],
    "B": grid("r32", ["32", "128", "1024"]),
    "C": ids("{net}-c10-sgd-lr{lr}-S2560-n2560-fb-s777", net=["r32", "r32bn"], lr=["0.01", "0.05"]),
    "D": grid("r32bn", ["8", "128", "512"]),
    "E": grid("vgg", ["32", "128", "512"]),
    "F": [
        *ids("vgg-c10-sgd-lr0.1-S128-m{m}-s777", m=["0.5", "0.9"]),
        *ids("vgg-c100-sgd-lr0.1-S128{m}-s777", m=["", "-m0.5", "-m0.9"]),
    ],
    "G": [
        *ids("lstm-ptb-sgd-lr{lr}-S20-s777", lr=["0.2", "1", "5"]),
        *ids("lstm-ptb-sgd-lr1-S{size}-s777", size=["8", "32", "128"]),
    ],
    "H": ids("r32-c10-sgd-lr0.1-S128-L{length}-s777", length=["10", "20", "40", "80"]),
    "I": ids(f"{TRUNK}@e4/{{name}}", name=["sgd", "top", "ctop", "notop", "x0.25", "x0.5", "x2", "x4"]),
    "J": [J_SMALL, J_RESNET],
    "K": [
        *plateau("r32", "c10", "0.01", "5", TWO, GAMMAS),
        *ids("r32-c10-nsgd-lr0.01-S128-g0.01-K{k}-plat-s{seed}", k=["1", "3", "7", "10", "20"], seed=TWO),
        *ids("r32-c10-sgd-lr{lr}-S128-plat-s{seed}", lr=["0.005", "0.1"], seed=TWO),
    ],
    "L": [
        *plateau("scnnM", "c10", "0.01", "10", TWO, GAMMAS),
        *ids("scnnM-c10-sgd-lr{lr}-S128-plat-s{seed}", lr=["0.005", "0.05"], seed=TWO),
    ],
    "M": ids("r32-c10-nsgd-lr0.1-S128-g{gamma}-K5-plat-s{seed}", gamma=GAMMAS, seed=TWO),
    "N": plateau("r32", "c10", "0.01", "5", TWO, GAMMAS, "-m0.9"),
    "O": plateau("scnnM", "fm", "0.01", "5", TWO, GAMMAS),
    "P": plateau("r32", "c100", "0.01", "5", TWO, GAMMAS),
    "Q": plateau("imdb2", "imdb", "0.01", "1", ["778", "779", "780"], ["0.1", "5"]),
    "R": [
        *ids("imdb-imdb-sgd-lr{lr}-S32-plat-s777", lr=["0.025", "0.05", "0.1"]),
        *ids("imdb-imdb-sgd-lr0.01-S{size}-plat-s777", size=["2", "8", "32"]),
    ],
}

EPOCHS = (
    dict.fromkeys(GROUPS, 200) | {"C": 118, "G": 25, "I": 7} | dict.fromkeys("KLMNOP", 2000) | {"Q": 1000, "R": 1000}
)
LONGER = {
    **dict.fromkeys(["scnn-c10-sgd-lr0.01-S128-s777", "r32-c10-sgd-lr0.01-S128-s777"], 300),
    **dict.fromkeys(["scnn-c10-sgd-lr0.001-S128-s777", "r32-c10-sgd-lr0.001-S128-s777"], 500),
    J_SMALL: 7,
    J_RESNET: 26,
}
# inventory 1.3
STEPS = {
    ("c10", 8): 5_625, ("c10", 32): 1_406, ("c10", 128): 351, ("c10", 512): 87, ("c10", 1024): 43, ("c10", 2560): 17,
    ("c100", 128): 351, ("fm", 128): 390, ("ptb", 8): 5_809, ("ptb", 20): 2_323, ("ptb", 32): 1_452, ("ptb", 128): 363,
    ("imdb", 2): 11_250, ("imdb", 8): 2_812, ("imdb", 32): 703,
}  # fmt: skip


@pytest.fixture(scope="module")
def paper() -> Project:
    return load_project({"scale": "paper"}, CONFIG)


@pytest.fixture(scope="module")
def listed() -> dict[str, str]:
    """Run -> group, from config/runs.tsv."""
    with open(CONFIG / "runs.tsv", newline="") as file:
        return {row["run"]: row["group"] for row in csv.DictReader(file, delimiter="\t")}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_the_runs_of_the_inventory(group: str, listed) -> None:
    assert {run for run, other in listed.items() if other == group} == set(GROUPS[group])


@pytest.mark.parametrize("group", GROUPS)
def test_a_run_ends_where_the_inventory_says(group: str, paper: Project) -> None:
    assert {run: paper.run(run).epochs for run in GROUPS[group]} == {
        run: LONGER.get(run, EPOCHS[group]) for run in GROUPS[group]
    }


def test_an_epoch_has_the_steps_of_the_inventory(paper: Project) -> None:
    runs = [paper.run(run) for run in paper.run_ids]
    actual = {(run.dataset_name, run.batch_size): run.steps_per_epoch for run in runs}
    assert {place: steps for place, steps in actual.items() if place[0] not in ("few", "c5k")} == STEPS


def test_full_batches_take_2006_steps(paper: Project) -> None:
    """All of the first 2,560 images, without augmentation."""
    for run in map(paper.run, GROUPS["C"]):
        assert run.full_batch
        assert (run.batch_size, run.num_iterations) == (2_560, 2_006)
        assert (run.dataset.flip, run.dataset.shift) == (False, 0)
        assert not paper.hessian(run.run).resample
        assert paper.hessian(run.run).examples == 2_560
    assert not any(paper.run(run).full_batch for group, runs in GROUPS.items() for run in runs if group != "C")


def test_first_stages_leave_the_trunk_when_the_rate_drops(paper: Project) -> None:
    for length, run in zip((10, 20, 40, 80), map(paper.run, GROUPS["H"]), strict=True):
        assert (run.branch.parent, run.branch.epoch) == ("r32-c10-sgd-lr0.1-S128-s777", length)
        assert (run.start, run.lr * run.branch.lr_factor) == (351 * length, pytest.approx(0.01))
        assert run.nudge is None


def test_variants_leave_at_epoch_4_and_see_the_top_direction_of_every_iteration(paper: Project) -> None:
    """Fig. 7: at least 1,000 iterations, five eigenpairs, loss on 2,250 clean examples."""
    scales = {
        "sgd": (1, 1), "top": (1, 0), "ctop": (1, 0), "notop": (0, 1), "x0.25": (0.25, 1), "x0.5": (0.5, 1),
        "x2": (2, 1), "x4": (4, 1),
    }  # fmt: skip
    for run in map(paper.run, GROUPS["I"]):
        assert (run.branch.parent, run.branch.epoch, run.branch.lr_factor) == (TRUNK, 4, 1)
        assert (run.start, run.num_iterations - run.start) == (1_404, 1_053)
        nudge, name = run.nudge, run.run.rpartition("/")[2]
        assert (nudge.gamma, nudge.rest) == scales[name]
        assert nudge.fixed == (name == "ctop")
        assert (nudge.refresh_every, nudge.num_directions, nudge.num_eigenpairs) == (1, 1, 5)
        assert (nudge.loss_examples, nudge.hessian.examples, nudge.hessian.resample) == (2_250, 2_560, True)


def test_nsgd_computes_its_directions_once_per_epoch_except_in_figure_20(paper: Project) -> None:
    """There, every 4 and 16 iterations, at the measured points."""
    often = {J_SMALL: 4, J_RESNET: 16}
    for run in map(paper.run, (run for run in paper.run_ids if "-nsgd-" in run)):
        assert run.nudge.refresh_every == often.get(run.run)
        assert run.nudge.keep_vectors == (run.run in often)
        directions = int(run.run.partition("-K")[2].partition("-")[0])
        assert (run.nudge.num_directions, run.nudge.num_eigenpairs) == (directions, max(10, directions))


def test_only_the_lstm_clips_its_gradients(paper: Project) -> None:
    assert {run: paper.run(run).clip_norm for run in paper.run_ids} == {
        run: 5 if run.startswith("lstm-") else None for run in paper.run_ids
    }


@pytest.mark.parametrize(
    ("run", "rule"),
    [
        ("r32-c10-sgd-lr0.1-S128-plat-s777", (100, 200)),
        ("imdb-imdb-sgd-lr0.01-S2-plat-s777", (100, 100)),
        ("imdb2-imdb-sgd-lr0.01-S8-plat-s778", (100, 50)),
        ("r32-c10-sgd-lr0.1-S128-s777", (None, None)),
    ],
)
def test_the_patience_is_that_of_the_inventory(run: str, rule: tuple[int | None, int | None], paper: Project) -> None:
    assert (paper.run(run).patience, paper.run(run).stop_patience) == rule


def every(step: int, end: int, then: range = range(0)) -> list[int]:
    """Multiples of a step up to an end, then other points."""
    return [*range(0, end + 1, step), *then]


def epochs(steps: int, first: int, last: int) -> range:
    """The starts of epochs in a range."""
    return range(first * steps, last * steps + 1, steps)


CADENCES = [
    # Figs. 4, 10, 11: every 512 examples for two epochs
    *((f"{net}-c10-sgd-lr{lr}-S128-s777", "grid", every(4, 702, epochs(351, 3, 200)))
      for net in ("r32", "scnn", "vgg", "r32bn") for lr in ("0.1", "0.01", "0.001", "0.05")),
    *((f"{net}-c10-sgd-lr0.05-S32-s777", "grid", every(16, 2_812, epochs(1_406, 3, 200)))
      for net in ("r32", "scnn", "vgg")),
    *((f"{net}-c10-sgd-lr0.05-S1024-s777", "grid", every(1, 86, epochs(43, 3, 200))) for net in ("r32", "scnn")),
    *((f"{net}-c10-sgd-lr0.05-S512-s777", "grid", every(1, 174, epochs(87, 3, 200))) for net in ("r32bn", "vgg")),
    ("r32bn-c10-sgd-lr0.05-S8-s777", "grid", every(64, 11_250, epochs(5_625, 3, 200))),
    # 460 windows for half an epoch
    ("lstm-ptb-sgd-lr1-S8-s777", "grid", every(57, 2_904, epochs(5_809, 1, 25))),
    *((f"lstm-ptb-sgd-lr{lr}-S20-s777", "grid", every(23, 1_161, epochs(2_323, 1, 25))) for lr in ("0.2", "1", "5")),
    ("lstm-ptb-sgd-lr1-S32-s777", "grid", every(14, 726, epochs(1_452, 1, 25))),
    ("lstm-ptb-sgd-lr1-S128-s777", "grid", every(3, 181, epochs(363, 1, 25))),
    # Fig. 1: 550 blocks
    ("scnn-c10-sgd-lr0.005-S128-s777", "growth", every(4, 2_200, epochs(351, 7, 200))),
    # Fig. 2: every iteration for half an epoch
    ("scnn-c10-sgd-lr0.1-S128-s777", "evolution", every(1, 176, epochs(351, 1, 200))),
    # Figs. 3, 9: 2,000 steps
    *((run, "full_batch", every(18, 2_000)) for run in GROUPS["C"]),
    # Fig. 5: 500 measurements
    *((f"{net}-c10-sgd-lr{lr}-S128-s777", "alignment", every(step, 500 * step))
      for net in ("r32", "scnn") for lr, step in (("0.1", 14), ("0.01", 70), ("0.001", 351))),
    # Figs. 6, 14-17, 20: 550 blocks
    *((run, "step", every(4, 2_200)) for run in (TRUNK, "scnn-c10-sgd-lr0.05-S128-s777", J_SMALL)),
    *((run, "step", every(16, 8_800)) for run in ("r32-c10-sgd-lr0.01-S128-l2_1e-4-s777", J_RESNET)),
    ("r32-c10-sgd-lr0.05-S128-l2_1e-4-s777", "step", every(4, 2_200)),
    # Figs. 12, 13: every epoch; for a branch, from its start
    ("r32-c10-sgd-lr0.1-S128-s777", "epochs", [*epochs(351, 0, 200)]),
    *((f"r32-c10-sgd-lr0.1-S128-L{length}-s777", "epochs", [*epochs(351, length, 200)]) for length in (10, 20, 40, 80)),
    *((run, "epochs", [*epochs(351, 0, 200)]) for run in ("vgg-c10-sgd-lr0.1-S128-s777", *GROUPS["F"])),
    # Fig. 18
    (TRUNK, "late", [*epochs(351, 0, 200)]),
]  # fmt: skip


@pytest.mark.parametrize(("run", "schedule", "points"), CADENCES, ids=lambda value: str(value)[:40])
def test_a_run_is_measured_at_the_cadence_of_the_inventory(
    run: str, schedule: str, points: list[int], paper: Project
) -> None:
    assert paper.schedule(run, schedule).points == points


def test_every_curve_of_the_curvature_studies_is_in_the_table_above(paper: Project) -> None:
    known = {(run, schedule) for run, schedule, _ in CADENCES}
    drawn = {
        (curve.run, curve.schedule)
        for name in ("fig01", "fig03", "fig04", "fig05", "fig06", "fig09", "fig10", "fig11", "fig12", "fig13", "fig17",
                     "fig20")
        for curve in paper.study(name).curves()
    }  # fmt: skip
    assert {pair for pair in drawn if not pair[0].startswith("vggp-")} <= known


def test_the_directions_of_figure_20_are_measured_where_nsgd_computes_them(paper: Project) -> None:
    for run in map(paper.run, (J_SMALL, J_RESNET)):
        points = paper.schedule(run.run, "step").points
        assert points == [*range(0, points[-1] + 1, run.nudge.refresh_every)]
        assert paper.hessian(run.run) == run.nudge.hessian
        assert paper.schedule(run.run, "step").measures["spectra"].num_eigenpairs <= run.nudge.num_eigenpairs


def test_points_are_cut_into_shards() -> None:
    project = load_project({"scale": "paper"}, CONFIG)
    run = "scnn-c10-sgd-lr0.01-S128-s777"
    schedule = project.schedule(run, "step")
    assert [point for segment in schedule.segments for point in segment] == schedule.points
    assert set(map(len, schedule.segments[:-1])) == {schedule.shard_points} == {110}
    assert 0 < len(schedule.segments[-1]) <= 110
    sharded, whole = project.curves_by_shards()
    assert f"{run}/step" in sharded
    assert len(project.schedule(run, "late").segments) == 1
    assert f"{run}/late" in whole
    assert len({*sharded, *whole}) == len(project.run_ids) * len(project.scale.schedules)


def test_shards_keep_the_cadences_of_their_schedule(tmp_path: Path) -> None:
    shutil.copytree(CONFIG, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "scales/paper.yaml"
    path.write_text(path.read_text().replace("shard_points: 110", "shard_points: 108"))
    with pytest.raises(
        ConfigError, match=r"step\.measures\.spectra: accuracy_every 5 does not divide shard_points 108"
    ):
        load_project({"scale": "paper"}, tmp_path)
