"""The core needs torch, numpy, scipy and h5py; other functions name their missing packages in one line."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from only_core import ASKED, core_modules, with_requirements
from packaging.requirements import Requirement

from sharpest.errors import MissingPackageError, needs_pipeline

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MATRIX = tomllib.loads((ROOT / "envs/matrix.toml").read_text())["environment"]

STRICT = """
import importlib, sys
import h5py, numpy.typing, scipy.sparse.linalg, scipy.special, torch.func, torch.nn.attention
known = {name.partition(".")[0] for name in sys.modules} | set(sys.stdlib_module_names) | {"sharpest", "filelock"}
class Strict:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in known:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)
sys.meta_path.insert(0, Strict())
for name in sys.argv[1:]:
    importlib.import_module(name)
print("all of the core")
importlib.import_module("sharpest.measures.spectra")
"""
LAZY = """
import sys, time
def ours():
    return {name for name in sys.modules if name.startswith("sharpest")}
start = time.process_time()
import sharpest, sharpest.curvature
assert ours() == {"sharpest", "sharpest.curvature"}, ours()
import sharpest.curvature.sizes, sharpest.integrations
assert "torch" not in sys.modules
before = time.process_time()
import sharpest.config.sources
assert not {"torch", "numpy", "sklearn", "pydoc_data", "sharpest.data"} & {*sys.modules}
begun = time.process_time()
import torch
after = time.process_time()
sharpest.results
own = before - start + time.process_time() - after
assert own < 0.03 * (after - begun), (own, after - begun)
from sharpest.curvature import Hessian
assert "sharpest.curvature.hessian" in ours()
assert not {"sharpest.curvature.stochastic", "sharpest.curvature.lanczos"} & ours()
assert not {"lightning", "transformers"} & {*sys.modules}
"""
REFUSED = {"open_point": "sharpest.open_point", "Point": "sharpest.Point"} | {
    command: f"sharpest {command.partition(' ')[0]}"
    for command in ("why", "show a-run", "forecast", "reference", "open a-run@3")
}
BLOCKED = """
import sys
from only_core import ASKED, hide_all_but
hide_all_but([*ASKED, "packaging"])
import sharpest
from sharpest.commands.main import main
from sharpest.errors import SharpestError
for name in sys.argv[1:]:
    if name in sharpest.__all__:
        try:
            getattr(sharpest, name)
        except SharpestError as error:
            print(f"error: {error}", file=sys.stderr)
    else:
        assert main(name.split()) == 1
"""


def python(code: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT / "src")])}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_no_module_of_the_core_imports_another_package() -> None:
    """Except filelock, which torch requires; not even packages that torch installs but does not import."""
    modules = core_modules()
    assert {"sharpest.curvature.hessian", "sharpest.watch.monitor", "sharpest.commands.eigs"} <= set(modules)
    result = python(STRICT, *modules)
    assert result.stdout == "all of the core\n", result.stderr
    assert "blocked: pydantic" in result.stderr  # of a measure, which is not in the core
    assert "filelock" in with_requirements(["torch"])


def test_names_and_commands_of_the_pipeline_say_what_they_need() -> None:
    result = python(BLOCKED, *REFUSED, cwd=ROOT / "tests")
    assert result.returncode == 0, result.stderr
    for line, name in zip(result.stderr.splitlines(), REFUSED.values(), strict=True):
        assert line.startswith(f"error: {name} needs sharpest[pipeline]: pip install 'sharpest[pipeline]' (package ")


def test_modules_are_imported_on_demand_and_importing_is_cheap() -> None:
    """Below 3 % of torch's import in the same process: of 1.7 s, 50 ms."""
    result = python(LAZY)
    assert result.returncode == 0, result.stderr


def test_requirements_match_the_oldest_environment() -> None:
    asked = [Requirement(text) for text in PROJECT["dependencies"]]
    assert {requirement.name for requirement in asked} == set(ASKED)
    for requirement in asked:
        (bound,) = requirement.specifier
        versions = [environment[requirement.name] for environment in MATRIX if requirement.name in environment]
        oldest = min(versions, key=lambda version: [int(part) for part in version.split(".")])
        assert (bound.operator, oldest.split(".")[:2]) == (">=", bound.version.split("."))
    assert PROJECT["requires-python"] == ">=" + min((e["python"] for e in MATRIX), key=lambda text: int(text[2:]))


def test_the_page_of_the_installation_names_what_is_there() -> None:
    """Each command of its block, and the message of a function that needs the pipeline."""
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```\n(.*?)```", page, re.DOTALL)
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    named = [re.fullmatch(r"\.(?:\[(\w+)\])?", command[-1])[1] for command in commands]
    assert [command[:2] for command in commands] == [["pip", "install"]] * len(commands)
    assert set(named) == {None, *PROJECT["optional-dependencies"]}
    with pytest.raises(MissingPackageError) as raised, needs_pipeline("sharpest.open_point"):
        raise ModuleNotFoundError(name="pandas")
    assert f"`{str(raised.value).partition(' (')[0]}`" in " ".join(page.split())


@pytest.mark.slow
def test_its_own_tests_pass_where_everything_else_is_hidden() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT / "src")])}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "only_core", "--core", "-q", "-p", "no:cacheprovider", "-rs"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    assert "No module named 'pydantic'" in result.stdout  # tests on the paper's nets are skipped
