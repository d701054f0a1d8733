"""A user's own images, from a synthetic file."""

import re
from pathlib import Path

import numpy as np
import pytest

from sharpest.config.sources import SourceSettings
from sharpest.data.prepare import prepare
from sharpest.data.sources.images import OWN_FILE
from sharpest.data.sources.images import read_own_images as load
from sharpest.errors import DataError

RNG = np.random.default_rng(0)
ARRAYS = {
    "train_inputs": RNG.integers(0, 256, (6, 2, 5, 4), dtype=np.uint8),
    "train_targets": np.array([0, 1, 2, 0, 1, 2], np.int32),
    "test_inputs": RNG.integers(0, 256, (3, 2, 5, 4), dtype=np.uint8),
    "test_targets": np.array([2, 1, 0], np.uint8),
}
REMEDY = "; write it with numpy.savez: train_inputs and test_inputs, uint8 (number, channels, height, width), and"


def _write(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez(folder / OWN_FILE, **{name: array for name, array in (ARRAYS | changes).items() if array is not None})
    return folder


def test_arrays_are_read_unchanged(tmp_path):
    data = prepare("images", "own-images", SourceSettings(folder=str(_write(tmp_path))), tmp_path)
    assert {name: array.tolist() for name, array in data.arrays.items()} == {n: a.tolist() for n, a in ARRAYS.items()}
    assert [array.dtype for array in data.arrays.values()] == [np.uint8, np.int64, np.uint8, np.int64]
    assert data.attributes == {"num_classes": 3}


def test_the_usual_place_is_the_folder_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "data")
    assert load(None).origin == f"data/{OWN_FILE}"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"test_targets": None}, f"{OWN_FILE} cannot be read ("),
        ({"train_inputs": ARRAYS["train_inputs"] / 255}, f"{OWN_FILE}: train_inputs is float64 (6, 2, 5, 4)"),
        ({"train_inputs": ARRAYS["train_inputs"][:, 0]}, f"{OWN_FILE}: train_inputs is uint8 (6, 5, 4)"),
        ({"test_targets": np.eye(3, dtype=np.int64)}, f"{OWN_FILE}: test_targets is int64 (3, 3)"),
        ({"test_targets": np.array(["a", "b", "c"], object)}, f"{OWN_FILE} cannot be read ("),
    ],
)
def test_a_wrong_array(tmp_path, changes, found):
    with pytest.raises(DataError, match=re.escape(found) + ".*" + re.escape(REMEDY)):
        load(_write(tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            {"train_targets": np.array([0, 1, 2, 0, 1])},
            "train inputs are uint8 (6, 2, 5, 4), expected uint8 (5, 2",
        ),
        (
            {"test_inputs": ARRAYS["test_inputs"][:, :, :4]},
            "test inputs are uint8 (3, 2, 4, 4), expected uint8 (3, 2",
        ),
        (
            {"train_targets": np.array([1, 2, 3, 1, 2, 3])},
            "train targets hold 3 classes from 1 to 3, expected 4",
        ),
        ({"test_targets": np.array([0, 0, 1])}, "test targets hold 2 classes from 0 to 1, expected 3 from 0"),
    ],
)
def test_inconsistent_arrays(tmp_path, changes, found):
    with pytest.raises(DataError, match=re.escape(f"images of your own from {tmp_path}/{OWN_FILE}: {found}")):
        prepare("images", "own-images", SourceSettings(folder=str(_write(tmp_path, **changes))), tmp_path)


def test_missing_or_damaged_file(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}/{OWN_FILE} does not exist{re.escape(REMEDY)}"):
        load(tmp_path)
    (tmp_path / OWN_FILE).write_bytes(b"no arrays")
    with pytest.raises(DataError, match=rf"^{tmp_path}/{OWN_FILE} cannot be read .*{re.escape(REMEDY)}"):
        load(tmp_path)
