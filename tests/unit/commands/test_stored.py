"""Commands that inspect stored results, checked against the files themselves."""

import csv
import io
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray
from builders import Run

import sharpest
from sharpest.commands.main import main
from sharpest.edge import edge
from sharpest.errors import StoreError
from sharpest.results.stored import Measured

RUN = "scnn-c10-sgd-lr0.01-S128-s777"
EDGE = edge(0.1, 0.5)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status = main(arguments)
    output = capsys.readouterr()
    assert (status, output.err) == (0, "")
    return output.out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line


def stored(run: Run, schedule: str = "step") -> dict[str, np.ndarray]:
    with h5py.File(run.spectrum(schedule)) as file:
        return {name: array[...] for name, array in file.items()}


def test_a_row_for_each_point(folder: Path, measured: Run, capsys: pytest.CaptureFixture[str]) -> None:
    title, _, head, *rows = printed(capsys, "eigs", str(measured.spectrum()), "-k", "2").splitlines()
    assert RUN in title
    assert head.split() == ["iteration", "epoch", "lambda", "/", "edge", "lambda_1", "lambda_2", "residual"]
    numbers, file = np.array([row.split() for row in rows], dtype=float), stored(measured)
    np.testing.assert_array_equal(numbers[:, 0], [0, 7, 12])
    np.testing.assert_allclose(numbers[:, 2], file["eigenvalues"][:, 0] / EDGE, atol=5e-5)
    np.testing.assert_allclose(numbers[:, 3:5], file["eigenvalues"][:, :2], rtol=1e-4)
    np.testing.assert_allclose(numbers[:, 5], file["residuals"][:, :2].max(axis=1), rtol=0.1)


@pytest.mark.parametrize("place", ["file", "run"])
def test_a_row_for_each_eigenvalue(place: str, folder: Path, measured: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """From the file with the most eigenvalues, if a point of a run was measured twice."""
    asked = [str(measured.spectrum()), "--at", "12"] if place == "file" else [f"{RUN}@12"]
    rows = [line.split() for line in printed(capsys, "eigs", *asked).splitlines()[4:]]
    expected = stored(measured)["eigenvalues"][2]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    np.testing.assert_allclose([float(row[1]) for row in rows], expected, rtol=1e-5)
    np.testing.assert_allclose([float(row[3]) for row in rows], expected / EDGE, atol=5e-5)


def test_json_holds_every_digit(folder: Path, measured: Run, capsys: pytest.CaptureFixture[str]) -> None:
    actual, file = json.loads(printed(capsys, "eigs", str(measured.spectrum()), "--json", "-k", "1")), stored(measured)
    assert (actual["run"], actual["lr"], actual["edge"]) == (RUN, 0.1, EDGE)
    for name in ("iteration", "epoch", "eigenvalues", "residuals", "converged"):
        np.testing.assert_array_equal([point[name] for point in actual["points"]], file[name])
    (only,) = json.loads(printed(capsys, "eigs", f"{RUN}@4", "--json"))["points"]
    assert only["eigenvalues"] == stored(measured, "grid")["eigenvalues"][0].tolist()


def test_points_and_files_without_eigenvalues(folder: Path, measured: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"the nearest is 4; measure it with point.eigenpairs(5) in: sharpest open {RUN}@5" in refused(
        capsys, "eigs", f"{RUN}@5"
    )
    assert "not measured at iteration 9; the nearest is 7" in refused(
        capsys, "eigs", str(measured.spectrum()), "--at", "9"
    )
    assert "but no eigenvalues along training" in refused(capsys, "eigs", str(measured.snapshots))
    assert "neither an existing file nor a run at an iteration" in refused(capsys, "eigs", RUN)
    assert f"did you mean {RUN}?" in refused(capsys, "eigs", f"{RUN[:-1]}@4")
    for k in ("0", "99"):
        assert f"-k {k}: {measured.spectrum('grid')} holds 2 eigenvalues for each point; ask for 1 to 2" in refused(
            capsys, "eigs", str(measured.spectrum("grid")), "-k", k
        )


def test_a_missing_file_that_snakemake_cannot_make(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It gets no command that fails."""
    for command in (["eigs"], ["show"], ["export", "new.csv"]):
        line = refused(capsys, command[0], "none.h5", *command[1:])
        assert line == "error: none.h5: does not exist; correct the path"
    place = "results/quick/spectra/a/step.h5"
    assert refused(capsys, "eigs", place).endswith(f"make it with: snakemake --cores all {place}")
    assert refused(capsys, "eigs", f"/b/{place}").endswith(
        f"make it with: snakemake --cores all --directory /b/ {place}"
    )


def test_runs_are_listed_with_their_measurements(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "list").splitlines()[1].split(maxsplit=1) == [RUN, "spectra: grid, step"]
    assert json.loads(printed(capsys, "list", "scnn-*", "--json")) == {RUN: {"spectra": ["grid", "step"]}}
    assert "no run that matches 'r32-*'" in refused(capsys, "list", "r32-*")
    assert "did you mean" not in refused(capsys, "list", "--scale", "small")


def test_several_scales_need_a_choice(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for scale in ("quick", "small"):
        (tmp_path / scale).mkdir()
    assert "has quick, small; choose one with --scale" in refused(capsys, "list", "--results", str(tmp_path))
    assert "has no scale" in refused(capsys, "list", "--results", str(tmp_path / "quick"))


def test_the_only_scale_needs_no_choice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even if the configuration names another, as after an import; the same holds in Python."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results/imported").symlink_to(folder / "results/quick")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("scale: quick\n")
    monkeypatch.chdir(tmp_path)
    assert RUN in printed(capsys, "list")
    assert list(sharpest.results()) == [RUN]
    (tmp_path / "results/small").mkdir()
    assert "has imported, small; choose one with --scale, in Python with scale=..." in refused(capsys, "list")
    (tmp_path / "config/config.yaml").write_text("scale: small\n")
    assert list(sharpest.results()) == []
    with pytest.raises(StoreError, match=f"small has no run '{RUN}'"):
        sharpest.open_point(RUN, 4)


def test_a_file_is_described(folder: Path, measured: Run, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "show", str(measured.spectrum())).splitlines()
    assert lines[0] == f"{measured.spectrum()}: spectra, version {Measured(measured.spectrum()).version}"
    assert ["run", RUN] in [line.split() for line in lines]
    assert any(line.split()[:8] == ["eigenvectors", "f4", "v", "k", "p", "3", "x", "3"] for line in lines)
    assert not {"config", "layout", "version"} & {line.partition(" ")[0] for line in lines}  # only what fits a line
    (whole,) = json.loads(printed(capsys, "show", str(measured.spectrum()), "--json"))
    assert whole["attributes"]["config"]["run"]["momentum"] == 0.5
    assert whole["arrays"]["eigenvalues"]["shape"] == [3, 3]
    assert "--json works for files only" in refused(capsys, "show", RUN, "--json")


def test_exported_numbers_are_those_of_the_file(folder: Path, measured: Run, tmp_path: Path) -> None:
    path, file = measured.spectrum(), stored(measured)
    for name in ("a.npz", "a.csv", "a.nc"):
        assert main(["export", str(path), str(tmp_path / name)]) == 0
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays) == set(file) - {"eigenvectors"} | {"attributes"}
        for name in set(arrays) - {"attributes"}:
            np.testing.assert_array_equal(arrays[name], file[name])
        assert json.loads(str(arrays["attributes"]))["run"] == RUN
    # csv.reader returns texts, whose shortest form holds every bit
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert [row["run"] for row in rows] == [RUN] * 3
    np.testing.assert_array_equal([float(row["eigenvalues_1"]) for row in rows], file["eigenvalues"][:, 1])
    assert (tmp_path / "a.csv").read_text() == Measured(path).to_frame().to_csv(index=False)
    with xarray.open_dataset(tmp_path / "a.nc", engine="scipy") as data:
        np.testing.assert_array_equal(data["eigenvalues"], file["eigenvalues"])
        assert data["eigenvalues"].dims == ("t", "k")


def test_vectors_are_exported_on_request(folder: Path, measured: Run, tmp_path: Path) -> None:
    assert main(["export", "--vectors", str(measured.spectrum()), str(tmp_path / "a.npz")]) == 0
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["eigenvectors"], stored(measured)["eigenvectors"])
    assert main(["export", str(measured.snapshots), str(tmp_path / "s.npz")]) == 0
    with np.load(tmp_path / "s.npz", allow_pickle=False) as arrays:
        assert "theta" not in arrays
        assert "lr" in arrays


def test_refused_exports(folder: Path, measured: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(measured.spectrum())
    assert "unknown format; give it a name that ends in .npz, .csv, .nc" in refused(
        capsys, "export", path, str(tmp_path / "a.zarr")
    )
    assert "leave --vectors out" in refused(capsys, "export", path, str(tmp_path / "a.csv"), "--vectors")
    assert "write npz instead" in refused(capsys, "export", str(measured.data), str(tmp_path / "a.csv"))
    assert "there is no folder" in refused(capsys, "export", path, str(tmp_path / "new/a.csv"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.csv").write_text("mine")
    assert "a.csv: exists; delete it, or choose another name" in refused(
        capsys, "export", path, str(tmp_path / "a.csv")
    )
    assert (tmp_path / "a.csv").read_text() == "mine"


def test_kinds_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert any(line.startswith("spectra ") for line in printed(capsys, "schema").splitlines())
    assert "eigenvectors    f4    v k p" in printed(capsys, "schema", "spectra")
    assert json.loads(printed(capsys, "schema", "snapshots", "--json"))["snapshots"]["arrays"]["theta"]["unit"] == ""
    assert "did you mean spectra?" in refused(capsys, "schema", "spectr")


def test_a_prompt_at_any_iteration(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "sys.stdin", io.StringIO("print(point.iteration, point.num_parameters, tuple(point.theta.shape))")
    )
    assert printed(capsys, "open", f"{RUN}@5") == "5 365 (365,)\n"
    assert "iteration 21 lies outside the run" in refused(capsys, "open", f"{RUN}@21")


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """The file of a monitor: two kinds, heavy-ball momentum."""
    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.5)
    batch = (torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 2)
    path = tmp_path / "watch.h5"
    with sharpest.watch(
        net, lambda model, batch: torch.nn.functional.cross_entropy(model(batch[0]), batch[1]), [batch],
        optimizer=optimizer, every=1, quantities=("lambda_max", "trace"), path=path,
    ) as monitor:  # fmt: skip
        monitor.step()
    return path


def test_the_file_of_a_monitor(watched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    actual = json.loads(printed(capsys, "eigs", str(watched), "--json"))
    assert actual["edge"] == EDGE
    assert [point["iteration"] for point in actual["points"]] == [0, 1]
    with h5py.File(watched) as file:
        np.testing.assert_array_equal(
            [point["eigenvalues"] for point in actual["points"]], file["spectra/eigenvalues"][...]
        )
        trace = file["trace/trace"][...]
    kinds = [part["kind"] for part in json.loads(printed(capsys, "show", str(watched), "--json"))]
    assert kinds == ["spectra", "trace"]
    assert "trace, version" in printed(capsys, "show", str(watched), "--kind", "trace").splitlines()[0]
    printed(capsys, "export", str(watched), str(watched.with_suffix(".csv")), "--kind", "trace")
    rows = list(csv.DictReader(io.StringIO(watched.with_suffix(".csv").read_text())))
    np.testing.assert_array_equal([float(row["trace"]) for row in rows], trace)
    assert "holds spectra, trace; say which" in refused(capsys, "export", str(watched), str(watched.with_suffix(".nc")))
    assert "holds trace, but no eigenvalues" in refused(capsys, "eigs", str(watched), "--kind", "trace")
