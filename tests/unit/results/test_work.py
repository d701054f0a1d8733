"""The work folder of a job: one job at a time, one identity, and empty at the end."""

from pathlib import Path
from threading import Event, Thread

import pytest

from sharpest.errors import StoreError
from sharpest.results.work import WorkFolder, has_work, locked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def filled(folder: Path) -> WorkFolder:
    """A folder of identity one: a file, and a file in a subfolder."""
    work = WorkFolder(folder, "one", ("states",))
    (folder / "journal").write_text("a row")
    (folder / "states/5").write_text("a state")
    return work


def entries(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_work_of_the_same_identity_stays(folder):
    assert not filled(folder).emptied
    before = entries(folder)
    assert not WorkFolder(folder, "one", ("states",)).emptied
    assert entries(folder) == before == {"identity", "journal", "states", "states/5"}
    assert has_work(folder, "one")
    assert not has_work(folder, "two")


def test_work_of_another_identity_is_emptied(folder):
    filled(folder)
    assert WorkFolder(folder, "two", ("states",)).emptied
    assert entries(folder) == {"identity", "states"}
    assert has_work(folder, "two")


def test_a_partly_removed_folder_is_not_taken_for_work(folder):
    filled(folder)
    (folder / "identity").unlink()  # the first file that is removed
    assert not has_work(folder, "one")
    assert not WorkFolder(folder, "one", ("states",)).emptied  # nobody lost it
    assert entries(folder) == {"identity", "states"}


def test_removing_leaves_the_lock_and_folders_of_others(folder):
    """The work of a shard is inside the folder of a job with the same name."""
    work = filled(folder)
    (folder / "lock").touch()
    (folder / "0").mkdir()
    (folder / "0/points").touch()
    work.remove()
    assert entries(folder) == {"lock", "0", "0/points"}


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
