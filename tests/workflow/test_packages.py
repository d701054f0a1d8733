"""The result of ``pip install sharpest``: built, and installed into an environment that has only torch."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from only_core import with_requirements
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sharpest.results.file import write_stored
from sharpest.results.layout import Dataset, measured_layout

from .conftest import ROOT

PAIRS = measured_layout(
    "spectra", 3,
    Dataset("eigenvalues", "f8", ("t", "k"), "nats", "largest first"),
    Dataset("residuals", "f8", ("t", "k"), "", "of these"),
)  # fmt: skip
FIRST = """
import torch, sharpest
net = torch.nn.Linear(4, 2)
batch = (torch.randn(16, 4), torch.arange(16) % 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
loss = lambda model, batch: torch.nn.functional.cross_entropy(model(batch[0]), batch[1])
monitor = sharpest.watch(net, loss, [batch], optimizer=optimizer, every=1)
monitor.step()
print(len(monitor.values["step"]), sharpest.curvature.trace(sharpest.curvature.Hessian.of(
    net, torch.nn.functional.cross_entropy, [batch])).value > 0)
"""


_LACKING = """
import json, sys
from importlib.metadata import distributions, requires
names = {each.name.lower().replace("_", "-"): each.version for each in distributions()}
print(json.dumps({**names, "asked": requires(sys.argv[1])}))
"""


class Environment:
    """A virtual environment.

    Args:
        folder: The folder to create.
        shared: Distributions of the current environment that it can import, and no others. They are linked. Because pip
            would delete shared files through links, an environment with links has no pip.
    """

    def __init__(self, folder: Path, shared: Sequence[str] = ()) -> None:
        venv.create(folder, with_pip=not shared)
        self.python = folder / "bin/python"
        found = self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
        self.site = Path(found)
        for name in shared:
            for top in _tops(distribution(name)):
                if not (self.site / top.name).exists():
                    (self.site / top.name).symlink_to(top)

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Its Python, isolated from the current environment."""
        variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        command, cwd = [self.python, *arguments], cwd or self.python.parent
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)

    def pip(self, *arguments: str | Path) -> None:
        """``pip install``."""
        result = self.run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)
        assert result.returncode == 0, result.stderr

    def lacks(self, name: str) -> list[str]:
        """Requirements of a distribution that are missing or of a wrong version."""
        result = self.run("-c", _LACKING, name)
        assert result.returncode == 0, result.stderr
        versions = json.loads(result.stdout)
        asked = [Requirement(text) for text in versions.pop("asked")]
        return [
            str(each)
            for each in asked
            if (each.marker is None or each.marker.evaluate({"extra": ""}))
            and not each.specifier.contains(versions.get(canonicalize_name(each.name), "0"))
        ]


def _tops(found: Distribution) -> set[Path]:
    """Top-level files and folders of a distribution in the packages folder."""
    packages = {Path(sysconfig.get_path("purelib")), *map(Path, sys.path)}
    tops = {Path(str(found.locate_file(""))) / file.parts[0] for file in found.files or () if file.parts[0] != ".."}
    return {top for top in tops if top.parent in packages and top.name != "__pycache__"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of this tree, and with an sdist and its wheel in ``from_sdist``."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run(["git", "clone", "--quiet", ROOT, folder / "tree"], check=True)
    for changed in ("pyproject.toml", "README.md"):
        (folder / "tree" / changed).write_text((ROOT / changed).read_text())
    maker = Environment(folder / "maker")
    maker.pip("setuptools>=77", "wheel")
    backend = "from setuptools import build_meta; print(build_meta.build_{}({!r}))"
    for what, tree, output in (
        ("sdist", folder / "tree", folder),
        ("wheel", folder / "tree", folder),
        ("wheel", folder / "unpacked", folder / "from_sdist"),
    ):
        if not tree.exists():
            with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
                archive.extractall(tree, filter="data")
            (tree,) = tree.iterdir()
        result = maker.run("-c", backend.format(what, str(output)), cwd=tree)
        assert result.returncode == 0, result.stderr
    return folder


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_wheel_and_sdist_hold_every_module_and_the_files_of_the_report(built: Path) -> None:
    (wheel,), (again,) = built.glob("*.whl"), (built / "from_sdist").glob("*.whl")
    tracked = subprocess.run(["git", "ls-files", "src"], cwd=built / "tree", capture_output=True, text=True, check=True)
    packaged = {name for name in names_in(wheel) if name.startswith("sharpest/")}
    assert packaged == {name.removeprefix("src/") for name in tracked.stdout.split()}
    assert names_in(wheel) == names_in(again)


@pytest.mark.slow
def test_the_core_works_with_only_torch_installed(built: Path, tmp_path: Path) -> None:
    allowed = with_requirements(["torch", "numpy", "scipy", "h5py"])
    environment = Environment(tmp_path / "empty", sorted(allowed))
    (wheel,) = built.glob("*.whl")
    Environment(tmp_path / "installer").pip("--no-deps", "--target", tmp_path / "installed", wheel)
    (environment.site / "installed.pth").write_text(str(tmp_path / "installed"))
    assert environment.lacks("sharpest") == []
    assert allowed - with_requirements(["torch"]) == {"numpy", "scipy", "h5py"}  # three besides torch's own
    assert environment.run("-c", FIRST).stdout == "2 True\n"

    write_stored(
        tmp_path / "a.h5", PAIRS,
        {"iteration": [0], "epoch": [0.0], "eigenvalues": [[3.0, 1.0]], "residuals": [[1e-6, 1e-5]]},
        dict.fromkeys(PAIRS.attributes, "x") | {"lr": 0.5, "config": {"run": {"momentum": 0.0, "nesterov": False}}},
    )  # fmt: skip
    found = json.loads(environment.run("-m", "sharpest", "eigs", tmp_path / "a.h5", "--json").stdout)
    assert found["points"][0]["over_edge"] == [0.75, 0.25]
    for arguments in (
        ["show", "a.h5"],
        ["export", "a.h5", "a.npz"],
        ["export", "a.h5", "a.csv"],
        ["schema", "spectra"],
    ):
        result = environment.run("-m", "sharpest", *arguments, cwd=tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
    for arguments in (["why"], ["export", "a.h5", "a.nc"], ["open", "run@1", "--scale", "quick"]):
        result = environment.run("-m", "sharpest", *arguments, cwd=tmp_path)
        (line,) = result.stderr.splitlines()
        assert (result.returncode, line.split(" needs ")[1][:18]) == (1, "sharpest[pipeline]")
