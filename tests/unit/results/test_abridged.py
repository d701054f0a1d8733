"""Copies without states, eigenvectors and examples: all else is the same, and they go by the digest of the original."""

import json
from pathlib import Path

import numpy as np
import pytest
from results_folder import ResultsFolder

from sharpest.config.measures import declared
from sharpest.errors import StoreError
from sharpest.measures.spectra import Spectra
from sharpest.results.abridged import abridge, check_unabridged
from sharpest.results.datasets import DATA
from sharpest.results.layout import Layout
from sharpest.results.record import read_through
from sharpest.results.snapshots import SNAPSHOTS
from sharpest.results.stored import Snapshots, Stored
from sharpest.results.whole import USER_BLOCK, digest_of

RUN = "scnn-c10-sgd-lr0.1-S128-s777"
SPECTRA = declared("spectra").layout
RANDOM = np.random.default_rng(0)


def copy_of(source: Path, layout: Layout, everything: bool = False) -> Path:
    copy = source.with_name("copy.h5")
    assert abridge(source, layout, copy, everything)
    return copy


def same_but(one: Stored, other: Stored, left_out: list[str]) -> None:
    assert other.attributes == {**one.attributes, "left_out": left_out}
    for dataset in one.datasets:
        if dataset.name not in left_out:
            assert one[dataset.name].tobytes() == other[dataset.name].tobytes()
            assert one.shape(dataset.name) == other.shape(dataset.name) or dataset.is_large


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    return ResultsFolder(tmp_path / "quick")


@pytest.fixture
def spectra(folder: ResultsFolder) -> Path:
    sizes = {"t": 3, "k": 2, "v": 2, "p": 400_000}
    arrays = {"eigenvectors": RANDOM.random((2, 2, 400_000)), "vector_index": [0, 2], "hvps": [7, 8, 9]}
    return folder.write_measure("spectra", RUN, "step", sizes, arrays)


def test_a_run_keeps_what_is_drawn_and_loses_its_states(folder: ResultsFolder) -> None:
    sizes = {"t": 3, "p": 50, "b": 4, "p*": 50, "r": 2, "k": 2, "r*": 2, "k*": 2, "p****": 50, "h": 2, "u": 5, "s": 2}
    arrays = {
        "theta": RANDOM.random((3, 50)),
        "eigenvectors": RANDOM.random((2, 2, 50)),
        "epoch": [0.0, 1.0, 2.0],
        "update_loss": RANDOM.random(5),
    }
    path = folder.write_snapshots(RUN, sizes, arrays)
    copy = copy_of(path, SNAPSHOTS)
    whole, abridged = Snapshots(path), Snapshots(copy)
    same_but(whole, abridged, ["theta", "buffers", "velocity", "eigenvectors"])
    assert abridged.shape("theta") == (3, 0)
    assert abridged.shape("eigenvectors") == (0, 2, 50)
    assert abridged.digest == whole.digest == digest_of(copy) == read_through(copy, [SNAPSHOTS]).digest


def test_spectra_keep_the_number_of_parameters(spectra: Path) -> None:
    copy = copy_of(spectra, SPECTRA)
    whole, abridged = Spectra(spectra), Spectra(copy)
    same_but(whole, abridged, ["vector_index", "eigenvectors"])
    assert abridged.num_parameters == 400_000
    assert abridged.digest == whole.digest
    assert copy.stat().st_size < 40_000


def test_of_data_attributes_are_kept(folder: ResultsFolder) -> None:
    sizes = {"n": 4, "x": 2, "c": 1, "y": 8, "w": 8}
    path = folder.write(folder.paths.data("c10"), DATA, sizes, {"train_targets": [1, 2, 3, 4]}, {"origin": "digits"})
    copy = copy_of(path, DATA, everything=True)
    abridged = Stored(copy, DATA)
    same_but(Stored(path, DATA), abridged, [dataset.name for dataset in DATA.datasets])
    assert all(0 in abridged.shape(dataset.name) for dataset in DATA.datasets)


def test_what_is_whole_without_is_not_copied(folder: ResultsFolder, spectra: Path) -> None:
    copy = copy_of(spectra, SPECTRA)
    without = folder.write_measure("spectra", RUN, "grid", {"t": 3, "k": 2, "p": 400_000}, {})
    again = copy.with_name("again.h5")
    assert not abridge(without, SPECTRA, again)
    assert not abridge(copy, SPECTRA, again)
    assert not again.exists()


def test_a_changed_copy_is_found(spectra: Path) -> None:
    copy = copy_of(spectra, SPECTRA)
    content = copy.read_bytes()
    copy.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    with pytest.raises(StoreError, match="is damaged"):
        read_through(copy, [SPECTRA])
    mark, _, text = content[:USER_BLOCK].rstrip(b"\0").partition(b" ")
    sealed = json.loads(text)
    for key, message in (("own", "its content does not match its digest"), ("digest", "is damaged")):
        block = json.dumps({**sealed, key: sealed[key][::-1]}).encode()
        copy.write_bytes((mark + b" " + block).ljust(USER_BLOCK, b"\0") + content[USER_BLOCK:])
        with pytest.raises(StoreError, match=message):
            read_through(copy, [SPECTRA])


def test_what_needs_states_says_what_is_missing(spectra: Path) -> None:
    check_unabridged(spectra, Spectra(spectra).attributes)
    copy = copy_of(spectra, SPECTRA)
    with pytest.raises(StoreError, match="came in a bundle, without vector_index, eigenvectors; open it where"):
        check_unabridged(copy, Spectra(copy).attributes)
