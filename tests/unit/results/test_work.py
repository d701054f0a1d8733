"""The records of unfinished jobs: whole or absent, whatever kills the job, fills the disk or damages the file."""

import os
import random
import signal
import time
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from sharpest.errors import StoreError
from sharpest.results import work
from sharpest.results.work import WorkStore, has_work, locked

ARRAYS = {
    "vectors": np.arange(6, dtype="f4").reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "nothing": np.zeros((0, 4)),
    "number": np.array(0.1),
    "flags": np.array([True, False]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def filled(folder: Path, count: int = 5) -> WorkStore:
    """A store of records of different sizes."""
    store = WorkStore(folder, "one")
    for number in range(count):
        store.put("points", number, {"number": number}, {"x": np.arange(2000.0 * (number + 1))})
    return store


def entries(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def is_whole(store: WorkStore) -> bool:
    """Whether each record holds what ``filled`` puts."""
    return all(
        record.facts == {"number": number}
        and record.arrays["x"].tobytes() == np.arange(2000.0 * (number + 1)).tobytes()
        for number, record in zip(store.numbers("points"), store.records("points"), strict=True)
    )


@pytest.mark.parametrize("chunk", [8, work.CHUNK])
def test_records_survive_a_round_trip(folder, monkeypatch, chunk):
    monkeypatch.setattr(work, "CHUNK", chunk)
    facts = {"text": "\u03b7\n", "real": float("inf"), "none": None, "count": 2**70}
    store = WorkStore(folder, "one")
    store.put("states", 5, {}, {"old": np.zeros(9)})
    store.put("states", 5, facts, ARRAYS)
    store.put("states", 0, {}, {})
    store.close()
    store = WorkStore(folder, "one")
    assert (store.numbers("states"), store.numbers("other")) == ([0, 5], [])
    empty, record = store.records("states")
    assert (empty.facts, empty.arrays, record.facts) == ({}, {}, facts)
    assert list(record.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert record.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(record.arrays[name], array)
    store.drop("states", 0, 3)
    assert store.get("states", 0) is None
    assert store.numbers("states") == [5]


@pytest.mark.parametrize("attempt", range(12))
def test_a_killed_process_leaves_whole_records(folder, attempt):
    """At any moment: each record is there whole or not at all, and none that was put before is lost."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        store = WorkStore(folder, "one")
        for number in range(10_000):
            store.put("points", number, {"number": number}, {"x": np.arange(2000.0 * (number % 50 + 1))})
            os.write(writer, b".")
            store.drop("points", number - 3)
    os.read(reader, 1)
    time.sleep(random.Random(attempt).uniform(0, 0.15))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(writer)
    done = 1
    while content := os.read(reader, 65536):
        done += len(content)
    os.close(reader)
    store = WorkStore(folder, "one")
    assert (store.damaged, store.lost) == ([], False)
    numbers = store.numbers("points")
    assert numbers[-1] in (done - 1, done)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert len(numbers) <= 4
    for number, record in zip(numbers, store.records("points"), strict=True):
        assert record.facts == {"number": number}
        assert record.arrays["x"].tolist() == list(range(2000 * (number % 50 + 1)))


@pytest.mark.parametrize("start", range(0, 40))
def test_a_damaged_byte_costs_records_but_gives_no_wrong_one(folder, start):
    filled(folder).close()
    (file,) = folder.glob("*.sqlite")
    content = bytearray(file.read_bytes())
    content[start if start < 20 else random.Random(start).randrange(len(content))] ^= 4
    file.write_bytes(content)
    store = WorkStore(folder, "one")
    assert is_whole(store)
    store.put("points", 7, {}, {})
    assert store.get("points", 7).facts == {}


@pytest.mark.parametrize("size", [0, 10, 100, 4096, 20_000, 100_000])
def test_a_file_cut_short_is_refused_or_read_in_part(folder, size):
    filled(folder).close()
    (file,) = folder.glob("*.sqlite")
    os.truncate(file, size)
    assert is_whole(WorkStore(folder, "one"))


def test_a_damaged_record_is_named_and_deleted(folder):
    filled(folder).close()
    (file,) = folder.glob("*.sqlite")
    content = file.read_bytes()
    place = content.index(np.arange(1500.0, 1510.0).tobytes(), content.index(b'"number": 3'))
    file.write_bytes(content[:place] + b"x" + content[place + 1 :])
    store = WorkStore(folder, "one")
    assert len(store.damaged) == 1
    assert len(store.numbers("points")) == 4
    assert is_whole(store)


def test_a_foreign_file_is_replaced(folder):
    store = filled(folder)
    store.close()
    (file,) = folder.glob("*.sqlite")
    file.write_bytes(b"a text that no database begins with" * 100)
    store = WorkStore(folder, "one")
    assert store.lost
    assert store.numbers("points") == []


def test_work_of_the_same_identity_stays(folder):
    filled(folder).close()
    store = WorkStore(folder, "one")
    assert not store.emptied
    assert len(store.numbers("points")) == 5
    assert has_work(folder, "one")
    assert not has_work(folder, "two")


def test_work_of_another_identity_is_deleted(folder):
    filled(folder).close()
    store = WorkStore(folder, "two")
    assert store.emptied
    assert store.numbers("points") == []
    assert has_work(folder, "two")
    assert not has_work(folder, "one")


def test_removing_leaves_the_lock_and_folders_of_others(folder):
    """The work of a shard is inside the folder of a job with the same name."""
    store = filled(folder)
    (folder / "lock").touch()
    (folder / "0").mkdir()
    (folder / "0/any.sqlite").touch()
    store.remove()
    assert entries(folder) == {"lock", "0", "0/any.sqlite"}
    assert not has_work(folder, "one")
    assert not WorkStore(folder, "one").emptied  # nobody lost it


def test_a_full_disk_is_named_and_leaves_the_rest(folder):
    store = filled(folder)
    store._database.execute("pragma max_page_count = 1")  # SQLite reports the same as for a full disk
    with pytest.raises(StoreError, match=r"work: cannot be written \(.*full\).*goes on from what it has kept$"):
        store.put("points", 2, {}, {"x": np.zeros(10**6)})
    assert len(store.numbers("points")) == 5
    assert is_whole(store)


def test_a_second_job_waits(folder):
    order, contents = [], Event()

    def second() -> None:
        contents.wait(10)
        with locked(folder):
            order.append("second")

    thread = Thread(target=second)
    thread.start()
    with locked(folder):
        contents.set()
        thread.join(0.3)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "work").write_text("a file where a folder should be")
    with (
        pytest.raises(StoreError, match=r"work/run: cannot be written .*correct the folder's rights.*snakemake again"),
        locked(tmp_path / "work/run"),
    ):
        pass
