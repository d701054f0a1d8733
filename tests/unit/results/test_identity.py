"""Swapped files, foreign files, and files made from other sources: each is refused in one line, at every stage."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

import h5py
import pytest
import torch
from builders import SCALE, Run, branch_settings, direction_settings, run_settings, write_images
from sealed import changed

from sharpest.errors import StoreError
from sharpest.measures.opening import open_point
from sharpest.pipeline.verify import print_verified
from sharpest.results.paths import Paths
from sharpest.results.record import check_recorded, write_record
from sharpest.results.runs import Results
from sharpest.results.stored import Stored, layouts_in
from sharpest.results.whole import digest_of

ONE, OTHER = run_settings(), run_settings(run="scnn-c10-sgd-lr0.1-S8-s778", seed=778)
BRANCH = branch_settings(ONE, 2, lr_factor=0.1)
DIRECTIONS = direction_settings(indices=(1,), num_gradients=2, alphas=(1.0,), grid=(0.0, 1.0))
MEASURES = ("spectra", "directions")  # one made from a run alone, one from another measure as well


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that differ in their seed, and a branch; all measured, and a figure of one."""
    folder = tmp_path_factory.mktemp("finished")
    for settings in (ONE, OTHER):
        run = Run(folder, settings).train().measure_spectrum([0, 10]).measure_spectrum([0, 5], "grid")
        run.measure_directions(DIRECTIONS)
        run.measure_directions(DIRECTIONS, "grid")
    Run(folder, BRANCH).train().measure_spectrum([10, 15])
    results = Results(Paths.of(SCALE, folder).folder)
    _ = results[ONE.run].spectra("step"), results[ONE.run].history
    for name in ("fig06", "fig14"):
        csv = results.paths.figure(name, "csv")
        csv.parent.mkdir(exist_ok=True)
        csv.write_text(f"panel,run,x,y\n{name},b,1,2\n")
        write_record(results.paths, [csv], results.made_from)
    return folder


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Results:
    """A copy of these results, not yet read."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return Results(Paths.of(SCALE, tmp_path).folder)


def file_of(results: Results, measure: str, run: str = ONE.run, schedule: str = "step") -> Path:
    return results.paths.measured(measure, run, schedule)


def read(results: Results, measure: str) -> object:
    return getattr(results[ONE.run], measure)("step")


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    assert "snakemake" in message
    return message


def replace(path: Path, by: Path) -> None:
    shutil.copy2(by, path)


def resealed(path: Path) -> None:
    """The same file with other contents and a correct seal."""
    with changed(path) as file:
        array = next(array for array in file.values() if array.dtype.kind == "f" and array.size)
        array[...] = array[...] + 1


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measured_file_of_another_run_is_refused(results: Results, measure: str) -> None:
    replace(file_of(results, measure), file_of(results, measure, OTHER.run))
    message = refusal(lambda: read(results, measure))
    assert message.startswith(
        f"{file_of(results, measure)}: belongs to run '{OTHER.run}', expected '{ONE.run}'; delete it"
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_one_of_another_schedule_is_refused(results: Results, measure: str) -> None:
    replace(file_of(results, measure), file_of(results, measure, schedule="grid"))
    assert "belongs to schedule 'grid', expected 'step'; delete it" in refusal(lambda: read(results, measure))


@pytest.mark.parametrize("measure", MEASURES)
def test_one_of_another_scale_is_refused(results: Results, measure: str) -> None:
    with changed(file_of(results, measure)) as file:
        file.attrs["scale"] = "small"
    assert "belongs to scale 'small', expected 'quick'" in refusal(lambda: read(results, measure))


@pytest.mark.parametrize("measure", MEASURES)
def test_one_of_other_snapshots_is_refused(results: Results, measure: str) -> None:
    """Snapshots of the same run, trained differently."""
    snapshots = results.paths.snapshots(ONE.run)
    resealed(snapshots)
    message = refusal(lambda: read(results, measure))
    assert message.startswith(f"{file_of(results, measure)}: was made from another {snapshots} than is there now; put")


@pytest.mark.parametrize("measure", MEASURES)
def test_foreign_snapshots_are_named(results: Results, measure: str) -> None:
    snapshots = results.paths.snapshots(ONE.run)
    replace(snapshots, results.paths.snapshots(OTHER.run))
    assert refusal(lambda: read(results, measure)).startswith(f"{snapshots}: belongs to run '{OTHER.run}', expected")
    assert refusal(lambda: results[ONE.run].snapshots).startswith(
        f"{snapshots}: belongs to run '{OTHER.run}', expected"
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_one_of_other_data_is_refused(results: Results, measure: str) -> None:
    data = results.paths.data("c10")
    write_images(data, name="another")
    assert f"was made from another {data} than is there now" in refusal(lambda: read(results, measure))
    assert f"was made from another {data} than is there now" in refusal(lambda: results[ONE.run].snapshots)


def test_one_of_another_spectrum_is_refused(results: Results) -> None:
    spectra = file_of(results, "spectra")
    resealed(spectra)
    assert f"was made from another {spectra} than is there now" in refusal(lambda: read(results, "directions"))


def test_a_branch_of_another_parent_is_refused(results: Results) -> None:
    parent = results.paths.snapshots(ONE.run)
    resealed(parent)
    assert f"was made from another {parent} than is there now" in refusal(lambda: results[BRANCH.run].snapshots)


def test_a_branch_does_not_start_from_another_run(results: Results, tmp_path: Path) -> None:
    parent = results.paths.snapshots(ONE.run)
    replace(parent, results.paths.snapshots(OTHER.run))
    results.paths.snapshots(BRANCH.run).unlink()
    assert f"{parent}: belongs to run '{OTHER.run}'" in refusal(lambda: Run(tmp_path, BRANCH).train())


def test_a_branch_does_not_train_on_other_data(results: Results, tmp_path: Path) -> None:
    write_images(results.paths.data("c10"), name="another")
    results.paths.snapshots(BRANCH.run).unlink()
    assert f"was made from another {results.paths.data('c10')}" in refusal(lambda: Run(tmp_path, BRANCH).train())


def test_a_point_of_a_swapped_run_is_not_opened(results: Results, tmp_path: Path) -> None:
    replace(file_of(results, "spectra"), file_of(results, "spectra", OTHER.run))
    assert f"belongs to run '{OTHER.run}'" in refusal(lambda: open_point(ONE.run, 10, SCALE, tmp_path))


def swap_histories(results: Results) -> None:
    """Swap the histories together with their records."""
    for name in (results.paths.history, lambda run: results.paths.made(results.paths.history(run))):
        replace(name(ONE.run), name(OTHER.run))


HISTORIES: dict[str, Callable[[Results], object]] = {
    "one number": lambda results: change_text(results.paths.history(ONE.run), lambda text: text.replace("1", "2", 1)),
    "cut off": lambda results: change_text(results.paths.history(ONE.run), lambda text: text[:-9]),
    "another run": lambda results: replace(results.paths.history(ONE.run), results.paths.history(OTHER.run)),
    "another run and its record": swap_histories,
}


def change_text(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize("damage", HISTORIES)
def test_a_history_that_training_did_not_write_is_refused(results: Results, damage: str) -> None:
    HISTORIES[damage](results)
    path = results.paths.history(ONE.run)
    message = refusal(lambda: results[ONE.run].history)
    assert message.startswith(f"{path}: has changed since it was written")
    assert message.endswith(f"snakemake --cores all --forcerun {path} -- {path}")


def test_a_history_of_another_training_is_refused(results: Results) -> None:
    resealed(results.paths.snapshots(ONE.run))
    assert "was made from another" in refusal(lambda: results[ONE.run].history)


def test_a_history_of_another_scale_is_refused(results: Results) -> None:
    change_text(results.paths.made(results.paths.history(ONE.run)), lambda text: text.replace("quick", "small"))
    assert "belongs to scale 'small', expected 'quick'" in refusal(lambda: results[ONE.run].history)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"scale": 1, "files": [], "made_from": {}}', "[" * 100_000])
def test_a_damaged_record_is_refused(results: Results, content: str) -> None:
    record = results.paths.made(results.paths.history(ONE.run))
    record.write_text(content)
    message = refusal(lambda: results[ONE.run].history)
    assert re.match(f"{record}: (is not a record of finished files|its attribute scale is not a text)", message)


def test_figures_swapped_with_their_records_are_refused(results: Results) -> None:
    one, other = (results.paths.figure(name, "csv") for name in ("fig06", "fig14"))
    replace(one, other)
    assert f"{one}: has changed since it was written" in refusal(lambda: check_recorded(one, results.paths))
    replace(results.paths.made(one), results.paths.made(other))
    assert f"{one}: has changed since it was written" in refusal(lambda: check_recorded(one, results.paths))


@pytest.mark.parametrize("source", ["spectra", "history"])
def test_a_figure_drawn_from_other_files_is_refused(results: Results, source: str) -> None:
    path, figure = file_of(results, "spectra"), results.paths.figure("fig06", "csv")
    if source == "spectra":
        resealed(path)
    else:
        path = results.paths.history(ONE.run)
        change_text(path, lambda text: text.replace("1", "2", 1))
    assert f"{figure}: was made from another {path} than is there now" in refusal(
        lambda: check_recorded(figure, results.paths)
    )


def test_a_file_made_again_bit_for_bit_is_the_same(results: Results) -> None:
    """Other clock times and another machine do not count."""
    path = results.paths.snapshots(ONE.run)
    before = digest_of(path)
    with changed(path) as file:
        file["epoch_seconds"][...] = 7
        file.attrs["created"], file.attrs["git"], file.attrs["device"] = "later", "another", "another"
    assert digest_of(path) == before
    assert read(results, "spectra") is not None


@pytest.mark.parametrize("change", ["array", "attribute", "name"])
def test_the_digest_covers_all_contents_of_a_file(results: Results, change: str) -> None:
    path = file_of(results, "spectra")
    before = digest_of(path)
    with changed(path) as file:
        if change == "array":
            file["eigenvalues"][0, 0] += 1e-9
        elif change == "attribute":
            file.attrs["lr"] = 2 * file.attrs["lr"]
        else:
            file.move("train_loss", "loss")
    assert digest_of(path) != before


def test_a_changed_digest_is_damage(results: Results) -> None:
    path = file_of(results, "spectra")
    digest = digest_of(path).encode()
    content = path.read_bytes()
    path.write_bytes(content.replace(digest, digest[::-1], 1))
    assert "is damaged" in refusal(lambda: read(results, "spectra"))


def verified(results: Results, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit status, and the error lines."""
    capsys.readouterr()
    status = print_verified(results.paths.folder)
    return status, [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: ")]


def test_the_verdict_on_a_correct_folder_is_one_line(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_verified(results.paths.folder) == 0
    assert capsys.readouterr().out == f"{results.paths.folder}: 18 correct files, 0 wrong\n"


def test_a_folder_mixed_from_two_machines_shows_it(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """Digests leave the device out, so that nothing else is wrong."""
    capability = torch.backends.cpu.get_cpu_capability()
    assert Stored(file_of(results, "spectra")).attributes["device"].endswith(f"{capability})")
    with changed(file_of(results, "spectra")) as file:
        file.attrs["device"] = "cpu (x86_64, OTHER)"
    assert print_verified(results.paths.folder) == 0
    verdict, devices = capsys.readouterr().out.splitlines()
    assert verdict.endswith(": 18 correct files, 0 wrong")
    assert re.fullmatch(
        rf"made on several devices, .*: \d+ on cpu \(.*{capability}\); 1 on cpu \(x86_64, OTHER\)", devices
    )


def test_the_correct_files_are_listed_on_request(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    status = print_verified(results.paths.folder, listed=True)
    lines = capsys.readouterr().out.splitlines()
    assert status == 0, lines
    # data, states and histories of three runs, 4 + 4 + 1 measured files, two figures
    assert lines[-1].endswith(": 18 correct files, 0 wrong")
    spectra, snapshots = file_of(results, "spectra"), results.paths.snapshots(ONE.run)
    (line,) = [line for line in lines if line.startswith(f"{results.paths.place(spectra)} ")]
    assert f"{digest_of(spectra)[:12]} from data/c10.h5 {digest_of(results.paths.data('c10'))[:12]}, " in line
    assert line.endswith(f"{results.paths.place(snapshots)} {digest_of(snapshots)[:12]}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks all results files, as a program that writes to them would."""
    with ExitStack() as stack:
        for path in folder.rglob("*.h5"):
            flock(stack.enter_context(path.open("rb")), LOCK_EX)
        yield


def test_locked_files_can_be_read(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(results.paths.folder):
        assert print_verified(results.paths.folder) == 0, capsys.readouterr().out
        for measure in MEASURES:
            _ = read(results, measure)
            assert layouts_in(file_of(results, measure))


def test_sources_of_another_content_are_named_though_locked(results: Results) -> None:
    spectra = file_of(results, "spectra")
    resealed(spectra)
    with locked(results.paths.folder):
        assert f"was made from another {spectra} than is there now" in refusal(lambda: read(results, "directions"))


def test_missing_sources_are_mentioned_but_not_wrong(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """States are large, and may be stored elsewhere."""
    results.paths.snapshots(OTHER.run).unlink()
    status = print_verified(results.paths.folder, listed=True)
    out = capsys.readouterr().out
    assert status == 0
    assert f"{results.paths.place(results.paths.snapshots(OTHER.run))} " in out
    assert "(missing)" in out


def test_the_parent_folder_and_foreign_folders_are_refused(results: Results, tmp_path: Path) -> None:
    folder, foreign = results.paths.folder, tmp_path / "foreign"
    foreign.mkdir()
    with pytest.raises(StoreError, match=f"^{foreign}: has no results of a scale; name the folder of a scale$"):
        print_verified(foreign)
    shutil.copy(file_of(results, "spectra"), foreign / "other.h5")
    with pytest.raises(StoreError, match=f"^{foreign}: has no results of a scale; name the folder of a scale$"):
        print_verified(foreign)
    with pytest.raises(StoreError, match=f"^{folder.parent}: has no results of a scale; name {folder}$"):
        print_verified(folder.parent)


def flip_a_late_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)


WRONG: dict[str, tuple[Callable[[Results], object], str]] = {
    "damaged": (lambda results: flip_a_late_byte(file_of(results, "directions")), "is damaged"),
    "swapped": (
        lambda results: replace(file_of(results, "spectra"), file_of(results, "spectra", OTHER.run)),
        f"belongs to run '{OTHER.run}'",
    ),
    "changed history": (HISTORIES["one number"], "has changed since it was written"),
    "csv without a record": (
        lambda results: results.paths.made(results.paths.figure("fig06", "csv")).unlink(),
        "has no record",
    ),
    "record of another file": (
        lambda results: shutil.copy(
            results.paths.made(results.paths.history(ONE.run)), results.paths.made(results.paths.figure("fig06", "csv"))
        ),
        "fig06.csv: has changed since it was written",
    ),
    "missing csv": (lambda results: results.paths.figure("fig06", "csv").unlink(), "fig06.csv: does not exist"),
    "unknown kind": (
        lambda results: shutil.copytree(
            results.paths.measured("spectra", "r", "s").parents[1], results.paths.folder / "x"
        ),
        "this version of the code writes no such file",
    ),
    "data of another kind": (
        lambda results: replace(results.paths.data("c10"), results.paths.snapshots(ONE.run)),
        "holds the layout",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_in_a_folder_are_listed(results: Results, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    damage, words = WRONG[name]
    damage(results)
    status, wrong = verified(results, capsys)
    assert status == 1
    assert any(words in line for line in wrong), wrong
    assert [
        line for line in wrong if not re.search("snakemake|remove it|delete it|correct the path", line)
    ] == []  # a remedy


def test_a_wrong_digest_is_found(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes and checksum agree, but the digest is that of other contents."""
    from sharpest.results import whole

    path = file_of(results, "spectra")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole, "content_digest", lambda file: "0" * 64)
        with changed(path):
            pass
    with h5py.File(path):  # the file can be read
        pass
    _, wrong = verified(results, capsys)
    assert any("its content does not match its digest" in line for line in wrong)
