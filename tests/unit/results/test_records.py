"""Records at the end of a file: they are read back bit for bit, and damage is detected."""

from pathlib import Path

import numpy as np
import pytest

from sharpest.results.work import append_record, cut_records, read_records

pytestmark = pytest.mark.core

ARRAYS = {
    "real": np.array([np.nan, -0.0, np.inf, 1e-310]),
    "scalar": np.array(3, dtype="i8"),
    "flags": np.array([[True, False]]),
    "none": np.zeros((0, 3), dtype="f4"),
    "transposed": np.arange(6, dtype="c8").reshape(2, 3).T,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three records of different lengths."""
    for number in range(3):
        append_record(tmp_path / "records", {"number": number}, {"x": np.arange(100.0 * (number + 1))})
    return tmp_path / "records"


def numbers(path: Path) -> list[int | None]:
    return [record and record.facts["number"] for record in read_records(path)]


def test_attributes_and_arrays_survive_a_round_trip(tmp_path):
    attributes = {
        "drift": float("nan"),
        "third": 0.1 + 0.2,
        "name": "\u03b7",
        "nothing": None,
        "nested": {"a": [1, True]},
    }
    append_record(tmp_path / "records", attributes, ARRAYS)
    append_record(tmp_path / "records", {}, {})
    record, empty = read_records(tmp_path / "records")
    assert str(record.facts) == str(attributes)
    assert list(record.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (record.arrays[name].dtype, record.arrays[name].shape) == (array.dtype, array.shape)
        assert record.arrays[name].tobytes() == array.tobytes()
    assert (empty.facts, empty.arrays) == ({}, {})


def test_no_file_has_no_records(tmp_path):
    assert list(read_records(tmp_path / "records")) == []
    cut_records(tmp_path / "records", 0)


def test_every_truncation_leaves_the_intact_records_before_it(path):
    """A kill in the middle of writing; the next record goes after the last intact one."""
    content, ends = path.read_bytes(), [0, *(record.end for record in read_records(path))]
    for size in [*range(0, len(content), 37), *(end + change for end in ends[1:] for change in (-1, 0))]:
        path.write_bytes(content[:size])
        whole = sum(end <= size for end in ends[1:])
        assert numbers(path) == [0, 1, 2][:whole]
        cut_records(path, ends[whole])
        append_record(path, {"number": 7}, {})
        assert numbers(path) == [*[0, 1, 2][:whole], 7]


def test_every_flipped_bit_is_detected(path):
    """After a damaged head the rest cannot be found; after any other damage the other records can."""
    content, ends = path.read_bytes(), [0, *(record.end for record in read_records(path))]
    for place in range(0, len(content), 11):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        number = sum(end <= place for end in ends[1:])
        in_head = place - ends[number] < 24
        expected = [0, 1, 2][:number] if in_head else [None if each == number else each for each in range(3)]
        assert numbers(path) == expected, place


def test_a_foreign_file_has_no_records(path):
    path.write_text("a text that is longer than the head of a record")
    assert numbers(path) == []
