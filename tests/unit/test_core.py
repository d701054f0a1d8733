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
"""
BLOCKED = """
import sys
from only_core import ASKED, hide_all_but
hide_all_but([*ASKED, "packaging"])
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
    assert result.returncode == 0, result.stderr
    assert "blocked: pydantic" in python(STRICT, "sharpest.measures.spectra").stderr
    assert "filelock" in with_requirements(["torch"])


@pytest.mark.parametrize("name", ["open_point", "Point"])
def test_a_name_of_the_pipeline_says_what_it_needs(name: str) -> None:
    result = python(f"{BLOCKED}\nfrom sharpest import {name}")
    assert result.returncode == 1
    assert (
        f"MissingPackageError: sharpest.{name} needs sharpest[pipeline]: pip install 'sharpest[pipeline]'"
        in result.stderr.splitlines()[-1]
    )


@pytest.mark.parametrize("arguments", [["why"], ["show", "a-run"], ["forecast"], ["reference"], ["open", "a-run@3"]])
def test_a_command_of_the_pipeline_says_what_it_needs(arguments: list[str]) -> None:
    code = f"{BLOCKED}\nfrom sharpest.commands.main import main; sys.exit(main({arguments}))"
    result = python(code, cwd=ROOT / "tests")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        f"error: sharpest {arguments[0]} needs sharpest[pipeline]: pip install 'sharpest[pipeline]' (package "
    )


def test_importing_it_is_cheap() -> None:
    """Below 3 % of torch's import in the same process: of 1.7 s, 50 ms."""
    code = "import time; a = time.process_time(); import torch; b = time.process_time(); import sharpest;"
    result = python(f"{code} c = time.process_time(); sharpest.results; d = time.process_time(); print(b - a, d - b)")
    torch, ours = map(float, result.stdout.split())
    assert ours < 0.03 * torch


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
