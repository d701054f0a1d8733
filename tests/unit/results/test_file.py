"""Results files: complete or absent, and read only if they are as expected."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import LAYOUTS
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from sealed import changed

from sharpest.config.measures import declared
from sharpest.errors import StoreError
from sharpest.results.file import open_stored, write_stored
from sharpest.results.layout import Layout
from sharpest.results.whole import ROW_CHECKSUMS, digest_of, has_long_rows, verify

SPECTRA, DIRECTIONS, EVALUATIONS = (declared(name).layout for name in ("spectra", "directions", "evaluations"))


def arrays_of(layout: Layout, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Random arrays; each dimension letter has a different length, so that swapped letters show."""
    letters = sorted({letter for dataset in layout.datasets for letter in dataset.dims})
    sizes = {letter: 2 + i for i, letter in enumerate(letters)}
    rng = np.random.default_rng(seed)
    return {
        dataset.name: rng.integers(0, 200, [sizes[letter] for letter in dataset.dims]).astype(dataset.dtype)
        for dataset in layout.datasets
    }


def attributes_of(layout: Layout) -> dict[str, Any]:
    return dict.fromkeys(layout.attributes, "x")


def write_spectrum(path: Path, seed: int = 0) -> None:
    write_stored(path, SPECTRA, arrays_of(SPECTRA, seed), attributes_of(SPECTRA))


def refusal(path: Path, layout: Layout = SPECTRA) -> str:
    """The message that refuses a file: one line that names the file and the remedy."""
    with pytest.raises(StoreError) as caught, open_stored(path, layout):
        pass
    message = str(caught.value)
    assert str(path) in message
    assert "snakemake" in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_arrays_survive_a_round_trip(layout: Layout, tmp_path: Path) -> None:
    arrays = arrays_of(layout)
    write_stored(tmp_path / "new" / "a.h5", layout, arrays, attributes_of(layout))
    with open_stored(tmp_path / "new" / "a.h5", layout) as stored:
        for dataset in layout.datasets:
            assert_array_equal(stored[dataset.name], arrays[dataset.name])
            assert_array_equal(stored.row(dataset.name, 1), arrays[dataset.name][1])
            assert stored.shape(dataset.name) == arrays[dataset.name].shape
            assert stored[dataset.name].dtype == np.dtype(dataset.dtype)


plain = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.sampled_from(["null", "[gpu]", "{", '"', "null "])
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.none()
)
values = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@settings(max_examples=25)
@given(st.lists(values, min_size=len(EVALUATIONS.attributes), max_size=len(EVALUATIONS.attributes)))
def test_attributes_survive_a_round_trip(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "attributes.h5"
    attributes = dict(zip(EVALUATIONS.attributes, values, strict=True))
    write_stored(path, EVALUATIONS, arrays_of(EVALUATIONS), attributes)
    with open_stored(path, EVALUATIONS) as stored:
        assert stored.attributes == {"layout": "evaluations", "version": EVALUATIONS.version, **attributes}
        assert [type(stored.attributes[name]) for name in attributes] == [type(v) for v in attributes.values()]


def test_the_order_of_keys_in_an_attribute_does_not_matter(tmp_path: Path) -> None:
    attributes, digests = attributes_of(EVALUATIONS), set()
    for number, value in enumerate(({"a": 1, "b": 2}, {"b": 2, "a": 1})):
        path = tmp_path / f"{number}.h5"
        write_stored(path, EVALUATIONS, arrays_of(EVALUATIONS), attributes | {"run": value})
        digests.add(digest_of(path))
    assert len(digests) == 1


def test_not_measured_stays_nan(tmp_path: Path) -> None:
    arrays = arrays_of(SPECTRA)
    arrays["val_loss"][1] = np.nan
    write_stored(tmp_path / "a.h5", SPECTRA, arrays, attributes_of(SPECTRA))
    with open_stored(tmp_path / "a.h5", SPECTRA) as stored:
        assert_array_equal(np.isnan(stored["val_loss"]), np.isnan(arrays["val_loss"]))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_missing_or_unknown_name_is_not_written(layout: Layout, tmp_path: Path) -> None:
    arrays, attributes = arrays_of(layout), attributes_of(layout)
    array, attribute = layout.datasets[-1].name, layout.attributes[0]
    without_array = {name: value for name, value in arrays.items() if name != array}
    without_attribute = {name: value for name, value in attributes.items() if name != attribute}
    for changed_arrays, changed_attributes, complaint in (
        (without_array, attributes, rf"arrays missing \['{array}'\]"),
        ({**arrays, "extra": np.zeros(1)}, attributes, r"arrays missing \[\], unknown \['extra'\]"),
        (arrays, without_attribute, rf"attributes missing \['{attribute}'\]"),
        (arrays, {**attributes, "version": 7}, r"attributes missing \[\], unknown \['version'\]"),
    ):
        with pytest.raises(ValueError, match=complaint):
            write_stored(tmp_path / "a.h5", layout, changed_arrays, changed_attributes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shape", "complaint"),
    [
        # t is 4 and k is 2
        ("residuals", (4, 9), r"residuals has k = 9, other arrays have 2"),
        ("epoch", (1,), r"epoch has t = 1, other arrays have 4"),
        ("epoch", (2, 2), r"epoch has shape \(2, 2\), expected dimensions \(t\)"),
    ],
)
def test_inconsistent_sizes_are_neither_written_nor_read(
    name: str, shape: tuple[int, ...], complaint: str, tmp_path: Path
) -> None:
    path, arrays = tmp_path / "a.h5", arrays_of(SPECTRA)
    with pytest.raises(ValueError, match=complaint):
        write_stored(path, SPECTRA, {**arrays, name: np.zeros(shape)}, attributes_of(SPECTRA))
    assert not path.exists()

    write_spectrum(path)
    with changed(path) as file:
        del file[name]
        file[name] = np.zeros(shape)
    assert name in refusal(path)


def test_a_truncated_file_is_refused_at_any_length(tmp_path: Path) -> None:
    path = tmp_path / "spectrum.h5"
    write_spectrum(path)
    whole = path.read_bytes()
    lengths = [1, 7, 8, 9, 50, 96, *range(100, len(whole), len(whole) // 20), len(whole) - 1]
    for length in lengths:
        path.write_bytes(whole[:length])
        assert "truncated" in refusal(path)
        assert "delete it" in refusal(path)


@pytest.mark.parametrize(
    ("shape", "long"),
    [
        ((3, 2**17), True),
        ((3, 2**17 + 1), True),
        ((3, 2**17 - 1), False),
        ((3, 1000), False),
        ((2**20,), False),
        ((0, 2**17), False),
    ],
)
def test_rows_of_a_mebibyte_have_their_own_checksums(shape: tuple[int, ...], long: bool) -> None:
    assert has_long_rows(shape, np.dtype("f8")) == long


@pytest.fixture(scope="module", params=["short rows", "long rows"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a file; long rows of eigenvectors have their own checksums."""
    path = tmp_path_factory.mktemp("whole") / "a.h5"
    arrays = arrays_of(SPECTRA)
    if request.param == "long rows":
        v, k, p = len(arrays["vector_index"]), arrays["eigenvalues"].shape[1], 2**18
        arrays["eigenvectors"] = np.random.default_rng(0).standard_normal((v, k, p)).astype("f4")
    write_stored(path, SPECTRA, arrays, attributes_of(SPECTRA))
    with h5py.File(path) as file:
        assert (ROW_CHECKSUMS in file["eigenvectors"].attrs) == (request.param == "long rows")
    return path.read_bytes()


def read_all(path: Path) -> None:
    with open_stored(path, SPECTRA) as file:
        for dataset in SPECTRA.datasets:
            file[dataset.name]


def test_any_damaged_byte_is_found_before_it_does_harm(whole: bytes, tmp_path: Path) -> None:
    """Flipped bits, zeros and noise anywhere. HDF5 alone would return wrong numbers, fail, or loop forever."""
    rng = np.random.default_rng(1)
    path = tmp_path / "a.h5"
    # HDF5's own structures and the small arrays are at both ends
    places = [*range(0, 3000, 61), *rng.integers(0, len(whole), 60), *(len(whole) - rng.integers(1, 3000, 30))]
    for place in map(int, places):
        damaged = bytearray(whole)
        length = min(int(rng.integers(1, 64)), len(whole) - place)
        match rng.integers(3):
            case 0:
                damaged[place] ^= 1 << int(rng.integers(8))
            case 1:
                damaged[place : place + length] = bytes(length)
            case 2:
                damaged[place : place + length] = rng.bytes(length)
        if damaged == whole:  # zeros replaced by zeros
            continue
        path.write_bytes(damaged)
        with pytest.raises(StoreError) as caught:
            read_all(path)
        assert str(path) in str(caught.value)
        assert "delete it and run snakemake again" in str(caught.value)


def test_a_damaged_row_does_not_affect_others(tmp_path: Path) -> None:
    path, arrays = tmp_path / "a.h5", arrays_of(SPECTRA)
    v, k = len(arrays["vector_index"]), arrays["eigenvalues"].shape[1]
    arrays["eigenvectors"] = np.random.default_rng(0).standard_normal((v, k, 2**18)).astype("f4")
    write_stored(path, SPECTRA, arrays, attributes_of(SPECTRA))
    content = path.read_bytes()
    place = content.index(arrays["eigenvectors"][2].tobytes()) + 12345
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with open_stored(path, SPECTRA) as file:
        for row in range(v):
            if row != 2:
                assert_array_equal(file.row("eigenvectors", row), arrays["eigenvectors"][row])
        for damaged in (lambda: file.row("eigenvectors", 2), lambda: file["eigenvectors"]):
            with pytest.raises(StoreError, match=r"a\.h5: eigenvectors is damaged .*delete it and run snakemake again"):
                damaged()


# the original seal of these bytes; a different one would refuse all finished results
GOLDEN = b'sharpest {"size": 1200000, "apart": [[1100, 20], [300000, 700000]], "crc32": 656438441}'


def test_the_checksum_is_of_all_bytes_but_those_that_stand_apart(tmp_path: Path) -> None:
    """For a fixed file: the user block and rows with their own checksums may have any content."""
    content = GOLDEN.ljust(1024, b"\0") + np.random.default_rng(0).bytes(1_200_000)[1024:]
    path = tmp_path / "a.h5"
    for place in (1100, 1119, 300_000, 999_999):
        path.write_bytes(flipped(content, place))
        verify(path)
    for place in (1024, 1099, 1120, 299_999, 1_000_000, 1_199_999):
        path.write_bytes(flipped(content, place))
        with pytest.raises(StoreError, match="is damaged"):
            verify(path)


def flipped(content: bytes, place: int) -> bytes:
    """The same bytes with one bit flipped."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("content", [b"", b"iteration,epoch\n0,0\n", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_foreign_bytes_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(content)
    assert "is empty, truncated, of an older version, or not a results file" in refusal(tmp_path / "a.h5")


def test_foreign_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["iteration"] = [1, 2]
    assert "not a results file (it has no checksum)" in refusal(path)


def test_a_file_of_another_layout_or_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_spectrum(path)
    assert "holds the layout 'spectra', not 'directions'" in refusal(path, DIRECTIONS)
    for step, age in ((1, "a newer"), (-1, "an older")):
        version = SPECTRA.version + step
        with changed(path) as file:
            file.attrs["version"] = version
        expected = (
            f"was written by {age} version of the code: spectra version {version}, this one reads {SPECTRA.version}"
        )
        assert expected in refusal(path)


def test_a_file_that_lacks_something_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_spectrum(path)
    with changed(path) as file:
        del file["eigenvalues"], file["hvps"], file.attrs["hessian"]
        file.create_group("hvps")
    assert "lacks eigenvalues, hvps, hessian" in refusal(path)


def test_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_spectrum(path)
    with changed(path) as file:
        values = file["eigenvalues"][...]
        del file["eigenvalues"]
        file["eigenvalues"] = values.astype("f4")
    assert "eigenvalues has type float32, expected f8" in refusal(path)


def test_a_missing_file_is_named_with_its_target(tmp_path: Path) -> None:
    path = tmp_path / "results/quick/none.h5"
    path.parent.mkdir(parents=True)
    target = f"--directory {tmp_path}/ results/quick/none.h5"
    assert f"does not exist; make it with: snakemake --cores all {target}" in refusal(path)


def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    """An attribute that cannot be stored fails after the temporary file was started."""
    path = tmp_path / "a.h5"
    broken = {**attributes_of(SPECTRA), "config": {"not": object()}}
    with pytest.raises(TypeError):
        write_stored(path, SPECTRA, arrays_of(SPECTRA), broken)
    assert list(tmp_path.iterdir()) == []

    write_spectrum(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_stored(path, SPECTRA, arrays_of(SPECTRA, seed=1), broken)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_an_incomplete_file_is_not_visible_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "a.h5", []
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        seen.append(path.exists())
        with open_stored(source, SPECTRA):  # complete before it gets its name
            replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    write_spectrum(path)
    assert seen == [False]
    assert path.exists()


def test_leftovers_of_a_killed_writer_are_removed(tmp_path: Path) -> None:
    """The leftover of a running process stays, and so do other files."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = [f".a.h5.{dead.pid}", f".a.h5.{os.getppid()}", f".b.h5.{dead.pid}", ".a.h5.old", "a.h5.1"]
    for name in names:
        (tmp_path / name).write_text("half")
    write_spectrum(tmp_path / "a.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names[1:], "a.h5"])


# a limit on file sizes fails in the same calls as a full disk, at each stage of writing
FULL_DISK = """
import resource, signal, sys
sys.path[:0] = {tests!r}
from pathlib import Path
from sharpest.errors import StoreError
from test_file import write_spectrum
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in (0, 100, 2000, 5000, {size} - 1):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write_spectrum(Path(sys.argv[1]), seed=1)
    except StoreError as error:
        print(limit, error)
"""


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_spectrum(path)
    before = path.read_bytes()
    code = FULL_DISK.format(tests=[str(Path(__file__).parents[level]) for level in (0, 2)], size=len(before))
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["0", "100", "2000", "5000", str(len(before) - 1)]
    assert all(f"{path}: cannot be written" in line and "free space" in line for line in lines)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where a folder should be")
    path = tmp_path / "results" / "a.h5"
    with pytest.raises(StoreError, match="cannot be written") as caught:
        write_spectrum(path)
    assert str(path) in str(caught.value)
    assert "fix the folder's permissions" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written"):
        write_spectrum(tmp_path / "a.h5")
    tmp_path.chmod(0o700)
