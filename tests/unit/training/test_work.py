"""The work folder: states and journals, complete or absent."""

from pathlib import Path

import numpy as np
import pytest

from sharpest.errors import StoreError
from sharpest.training.work import TrainingWork


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def work(folder: Path) -> TrainingWork:
    folder.mkdir()
    return TrainingWork(folder, "one")


def test_states_survive_a_round_trip(work, folder):
    for iteration in (10, 0, 5):
        work.save(iteration, {"theta": np.full(3, iteration, dtype="f4"), "lr": np.array(0.1)})
    assert work.iterations() == [0, 5, 10]
    loaded = TrainingWork(folder, "one").load(5)
    np.testing.assert_array_equal(loaded["theta"], np.full(3, 5, dtype="f4"))
    assert loaded["theta"].dtype == np.float32
    assert loaded["lr"] == 0.1
    work.drop(5)
    assert work.iterations() == [0, 10]


def test_a_truncated_state_is_absent(work, folder, monkeypatch):
    """A kill in the middle of writing."""
    work.save(0, {"theta": np.zeros(3)})

    def cut_short(file, **_):
        file.write(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", cut_short)
    with pytest.raises(KeyboardInterrupt):
        work.save(5, {"theta": np.zeros(3)})
    assert TrainingWork(folder, "one").iterations() == [0]


def test_the_state_within_an_epoch_is_one(work, folder):
    assert work.midway() is None
    for iteration in (3, 4):
        work.save_midway({"iteration": np.array(iteration), "theta": np.full(2, iteration, dtype="f4")})
    assert TrainingWork(folder, "one").midway()["theta"].tolist() == [4, 4]
    assert work.iterations() == []


DAMAGE = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:200] + bytes([content[200] ^ 4]) + content[201:],
    "foreign": lambda content: b"a text",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(
    ("place", "iterations", "midway"),
    [
        ("states/5.npz", [0], False),
        ("states/0.npz", [], False),
        ("states/10.npz", [0, 5], False),
        ("vectors/3.npz", [0], False),
        ("vectors/11.npz", [0, 5, 10], False),
        ("midway.npz", [0, 5, 10], False),
        ("history.jsonl", [0], False),
        (None, [0, 5, 10], True),
    ],
)
def test_work_after_a_damaged_file_is_dropped(work, folder, damage, place, iterations, midway):
    """A power loss may leave empty files; training resumes from before them."""
    for iteration in (0, 5, 10):
        work.save(iteration, {"theta": np.ones(30)})
    for iteration in (3, 11):
        work.save_vectors(iteration, np.ones((2, 20), dtype="f4"))
        work.append("refreshes", {"iteration": iteration})
    for iteration in (5, 10):
        work.append("history", {"iteration": iteration, "loss": 1.0, "note": "x" * 300})
    work.save_midway({"iteration": np.array(12), "theta": np.ones(30)})
    if place == "history.jsonl":  # the row of the first epoch
        (folder / place).write_bytes(DAMAGE[damage]((folder / place).read_bytes().split(b"\n")[1]) + b"\n")
    elif place:
        (folder / place).write_bytes(DAMAGE[damage]((folder / place).read_bytes()))
    work.drop_damaged(range(5, 21, 5))
    assert work.iterations() == iterations
    assert (work.midway() is not None) == midway


def test_rows_come_back_in_order_and_the_last_of_an_iteration_counts(work):
    for iteration, value in ((5, 1.0), (0, float("nan")), (5, 2.0)):
        work.append("history", {"iteration": iteration, "value": value})
    rows = work.rows("history")
    assert [row["iteration"] for row in rows] == [0, 5]
    assert np.isnan(rows[0]["value"])
    assert rows[1]["value"] == 2.0
    assert work.rows("refreshes") == []


@pytest.mark.parametrize("kept", range(1, 20))
def test_a_truncated_row_is_dropped_without_affecting_others(work, folder, kept):
    """The next row must not be appended to the remains of it."""
    journal = folder / "history.jsonl"
    work.append("history", {"iteration": 0})
    whole = journal.read_text()
    work.append("history", {"iteration": 5, "loss": 1.25})
    journal.write_text(whole + journal.read_text()[len(whole) :][:kept])
    assert [row["iteration"] for row in work.rows("history")] == [0]
    work.append("history", {"iteration": 10})
    assert [row["iteration"] for row in work.rows("history")] == [0, 10]


def test_a_folder_of_another_identity_is_emptied(work, folder):
    work.save(5, {"theta": np.zeros(3)})
    work.append("history", {"iteration": 5})
    work.append("refreshes", {"iteration": 5})
    assert TrainingWork(folder, "one").iterations() == [5]
    other = TrainingWork(folder, "two")
    assert other.iterations() == other.rows("history") == other.rows("refreshes") == []
    assert TrainingWork(folder, "one").iterations() == []


@pytest.mark.parametrize(
    "write", [lambda work: work.save(5, {"theta": np.zeros(3)}), lambda work: work.append("history", {"iteration": 5})]
)
def test_a_full_disk_is_named_and_leaves_the_rest(work, folder, monkeypatch, write):
    work.save(0, {"theta": np.zeros(3)})

    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", full)
        with pytest.raises(
            StoreError, match=r"work.*cannot be written \(.*No space left.*goes on from what it has kept"
        ):
            write(work)
    assert work.iterations() == [0]
    assert work.rows("history") == []
