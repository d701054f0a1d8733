"""Comments and docstrings change no fingerprint; code changes the fingerprints of its importers."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sharpest
from sharpest.pipeline import fingerprint as module
from sharpest.pipeline.fingerprint import changed_since, fingerprint, import_closure, source_digest
from sharpest.pipeline.reach import Definitions

SOURCE = '''
"""A module."""
import math


class Rule:
    """A rule."""

    patience: int
    """Epochs."""

    def cut(self, loss):
        """Whether to cut."""
        if loss > 1e-4:  # absolute
            return math.inf
        return "a string"


def nothing():
    """Only a docstring."""
'''
SCRIPT = Path(__file__).parents[3] / "workflow/scripts/train_run.py"
FRAME = (
    "sharpest.pipeline.job",
    "sharpest.pipeline.job",
    "sharpest.pipeline.provenance",
    "sharpest.pipeline.startup",
    "sharpest.config.project",
)
KINDS = ("alignment", "lines", "measured", "moments", "step_surface")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# absolute", "# relative"),
        ("  # absolute", ""),
        ('"""A module."""', '"""Another module."""'),
        ('"""A rule."""', '"""A rule\n\n    of two paragraphs.\n    """'),
        ('"""Epochs."""', '"""Epochs without improvement."""'),
        ('    """Epochs."""\n', ""),
        ('"""Whether to cut."""', "'''Whether to cut.'''"),
        ('    """Only a docstring."""', "    pass"),
        ("def cut(self, loss):", "def cut(\n        self,\n        loss,\n    ):"),
        ("import math\n", "import math\n\n\n\n"),
        ("1e-4", "0.0001"),
    ],
)
def test_edits_that_change_nothing(old, new):
    assert old in SOURCE
    assert source_digest(SOURCE.replace(old, new)) == source_digest(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1e-4", "2e-4"),
        ("loss > ", "loss >= "),
        ('"a string"', '"another string"'),
        ("patience: int", "patience: float"),
        ("cut(self", "cuts(self"),
        ("import math", "import cmath as math"),
        ("class Rule:", "class Rule(dict):"),
        ("loss > ", "loss < "),
        ("math.inf", "math.inf[1:]"),
    ],
)
def test_edits_that_change_something(old, new):
    assert old in SOURCE
    assert source_digest(SOURCE.replace(old, new)) != source_digest(SOURCE)


def test_fields_of_the_same_value_are_told_apart():
    """If one is empty, only its name distinguishes them."""
    digests = [source_digest(f"a[{part}]") for part in ("1:", ":1", "::1", "1", ":", "1:1")]
    assert len(set(digests)) == len(digests)


def test_a_digest_is_the_same_for_ever():
    """A different digest would make all finished results stale."""
    assert source_digest(SOURCE) == "760200dafb4e"


@pytest.mark.parametrize("name", ["_", "display", "get_ipython"])
def test_a_fingerprint_is_the_same_in_an_interactive_session(name, monkeypatch):
    """Such a session adds names to the builtins."""
    tree = ast.parse("def double(x):\n    NAME = x\n    return NAME + NAME".replace("NAME", name))

    def text():
        definitions = Definitions("", tree, (), ())
        return definitions.text(definitions.parts[0])

    before = text()
    monkeypatch.setattr("builtins." + name, 3, raising=False)
    assert text() == before


def test_training_is_free_of_curvature_measurements_and_figures():
    """So editing them retrains no SGD run; NSGD's solver has a separate entry."""
    closure = import_closure("sharpest.training.run")
    assert "sharpest.trajectory.epoch" in closure
    assert "sharpest.models.flat" in closure
    for part in ("curvature", "figures", "tables", "claims", "report", "measures", "models.resnet"):
        assert not [name for name in closure if name.startswith(f"sharpest.{part}")], part
    assert "sharpest.curvature.lanczos" in import_closure("sharpest.trajectory.eigenpairs")


def test_measurements_contain_the_training_that_they_replay():
    for entry in (
        "sharpest.measures.spectra.measure",
        "sharpest.measures.directions.measure",
        "sharpest.measures.evaluations.measure",
        "sharpest.measures.density.measure",
        "sharpest.measures.trace.measure",
    ):
        assert {"sharpest.trajectory.epoch", "sharpest.curvature.lanczos"} <= set(import_closure(entry)), entry


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_contains_neither_torch_nor_another_figure(kind):
    closure = import_closure(f"sharpest.figures.{kind}")
    others = {f"sharpest.figures.{other}" for other in KINDS} - {f"sharpest.figures.{kind}"}
    assert not others & set(closure)
    folder = Path(sharpest.__file__).parent
    for name in closure:
        path = folder.joinpath(*name.split(".")[1:])
        source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
        assert not re.search(r"^\s*(import|from) torch", source, re.MULTILINE), name


def test_parent_packages_run_too_and_belong_to_the_closure():
    closure = import_closure("sharpest.models.resnet")
    assert {"sharpest.models", "sharpest.models.resnet", "sharpest.config", "sharpest.config.architectures"} <= set(
        closure
    )
    # but the package itself holds only the version and open_point
    assert "sharpest" not in closure


# --- packages that import their exports on demand


@pytest.fixture(scope="module")
def closure_of(tmp_path_factory):
    """The closure of a new module with the given code, in a copy of the package, computed in a separate process."""
    folder = tmp_path_factory.mktemp("lazy")
    copy_package(folder)

    def closure(code: str) -> set[str]:
        (folder / "sharpest/measures/new.py").write_text(code)
        ask = (
            "import json, sharpest.pipeline.fingerprint as f; "
            "print(json.dumps(f.import_closure('sharpest.measures.new')))"
        )
        return set(json.loads(run_in(folder, ask)))

    return closure


ENGINE = {f"sharpest.curvature.{name}" for name in ("hessian", "lanczos", "stochastic", "differentiation")}


@pytest.mark.parametrize(
    "code",
    [
        "from sharpest.curvature import trace",
        "import sharpest.curvature",
        "from sharpest import curvature",
        "from sharpest.curvature import hessian, trace",
        "def later():\n    from sharpest.curvature import trace",
    ],
)
def test_importing_an_export_depends_on_all_exporting_modules(closure_of, code):
    assert closure_of(code) >= ENGINE


@pytest.mark.parametrize(
    "code",
    [
        "import sharpest.curvature.hessian",
        "from sharpest.curvature.hessian import Hessian",
        "from sharpest.curvature import hessian",
    ],
)
def test_importing_a_module_of_a_package_depends_on_that_module(closure_of, code):
    closure = closure_of(code)
    assert {"sharpest.curvature", "sharpest.curvature.hessian"} <= closure
    assert not closure & {"sharpest.curvature.stochastic", "sharpest.curvature.lanczos"}


def test_imports_for_type_checkers_do_not_count(closure_of):
    code = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sharpest.curvature import trace"
    assert closure_of(code) == {"sharpest.measures", "sharpest.measures.new"}


def test_a_package_depends_on_its_exports():
    assert {"sharpest.curvature", *ENGINE} <= set(import_closure("sharpest.curvature"))
    assert {"sharpest.results.runs", "sharpest.results.stored"} <= set(import_closure("sharpest.results"))


@pytest.mark.parametrize(
    ("text", "readers"),
    [
        ("from sharpest.results import whole", False),
        ("import sharpest.results.whole", False),
        ("import sharpest.results", True),
        ("from sharpest import results", True),
    ],
)
def test_a_script_depends_on_the_readers_it_uses(tmp_path, text, readers):
    script = tmp_path / "any.py"
    script.write_text(f"{text}\n")
    assert ("sharpest.results.runs" in names_in(fingerprint(script))) == readers


def test_training_is_free_of_readers():
    """So a new name in a reader retrains nothing; code that training writes with counts."""
    modules = set(names_in(fingerprint(SCRIPT, "sharpest.trajectory.eigenpairs")))
    assert {"sharpest.training.run", "sharpest.results.file", "sharpest.results.snapshots"} <= modules
    readers = {f"sharpest.results.{name}" for name in ("stored", "runs")}
    assert readers <= set(import_closure("sharpest.results"))
    assert not readers & modules


def test_what_has_changed_since_is_named_by_module(tmp_path):
    """Scripts and modules, including removed ones and those of lines without names."""
    script = tmp_path / "any.py"
    script.write_text("from sharpest.data.randomness import generator\n")
    now = fingerprint(script)
    whole = source_digest(Path(sharpest.__file__).with_name("edge.py").read_text())
    assert changed_since([now, now, f"sharpest.edge {whole}"], tmp_path) == []
    others = ["sharpest.gone 0 -", "scripts/gone.py 0", "sharpest.edge 0", "sharpest.trajectory.state 0 FACTOR"]
    assert changed_since([now, "\n".join(others)], tmp_path) == sorted(line.split()[0] for line in others)
    names = line_of("sharpest.data.randomness", now)[1]
    less = f"sharpest.data.randomness {line_of('sharpest.data.randomness', now)[0]} {min(names)}"
    assert changed_since([less], tmp_path) == ["sharpest.data.randomness"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "any.py").write_text("from sharpest.data.randomness import derived_seed\n")
    assert changed_since([now], other) == ["scripts/any.py"]


def test_an_unknown_module_is_refused():
    with pytest.raises(ValueError, match=r"sharpest\.figures\.pie is not a module of this package"):
        import_closure("sharpest.figures.pie")


def copy_package(folder: Path) -> None:
    """Copy the package into a folder."""
    shutil.copytree(Path(sharpest.__file__).parent, folder / "sharpest", ignore=shutil.ignore_patterns("__pycache__"))


def run_in(folder: Path, code: str) -> str:
    """The output of a process that imports the package from a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout


def names_in(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()]


def script_of(folder: Path, *modules: str) -> Path:
    path = folder / f"{modules[-1]}.py"
    path.write_text("".join(f"import {module}\n" for module in modules))
    return path


def test_editing_a_module_changes_the_fingerprints_of_what_imports_it(tmp_path, monkeypatch):
    entries = [f"sharpest.figures.{kind}" for kind in KINDS] + [
        "sharpest.training.run",
        "sharpest.measures.spectra.measure",
    ]
    scripts = {entry: script_of(tmp_path, entry) for entry in entries}
    before = {entry: fingerprint(scripts[entry], entry) for entry in entries}
    real = module._digest

    def changed(edited: str) -> set[str]:
        monkeypatch.setattr(module, "_digest", lambda name, names: "edited" if name == edited else real(name, names))
        now = {entry: fingerprint(scripts[entry], entry) for entry in entries}
        # the module alone shows that it changed
        assert all(f"{edited} edited " in now[entry] for entry in entries if now[entry] != before[entry])
        return {entry for entry in entries if now[entry] != before[entry]}

    assert changed("sharpest.figures.alignment") == {"sharpest.figures.alignment"}
    assert changed("sharpest.figures.canvas") == {f"sharpest.figures.{kind}" for kind in KINDS}
    assert changed("sharpest.curvature.lanczos") == {"sharpest.measures.spectra.measure"}
    assert changed("sharpest.trajectory.steps") == {"sharpest.training.run", "sharpest.measures.spectra.measure"}
    assert changed("sharpest.trajectory.state") == {"sharpest.training.run", "sharpest.measures.spectra.measure"}
    assert changed("sharpest.models") == set()  # a docstring
    assert changed("sharpest.models.resnet") == set()


def test_a_fingerprint_has_a_line_for_the_script_and_for_each_module_once(tmp_path):
    one, other = "sharpest.training.run", "sharpest.models.resnet"
    both = names_in(fingerprint(script_of(tmp_path, other, one), one, other))
    assert both == sorted(set(both))
    assert {"scripts/sharpest.training.run.py", one, other} <= set(both)
    assert set(both[1:]) <= {*import_closure(one), *import_closure(other)}
    alone = script_of(tmp_path, one)
    assert fingerprint(alone, other) == fingerprint(alone, other, other)


def test_all_public_names_of_an_entry_count(tmp_path):
    """A name in a job's settings selects the module; the code that does so does not say which."""
    script = tmp_path / "any.py"
    script.write_text("import json\n")
    assert line_of("sharpest.data.randomness", fingerprint(script, "sharpest.data.randomness"))[1] == {
        "derived_seed", "generator",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "import sharpest.data.randomness\nsharpest.data.randomness.derived_seed",
        "from sharpest.data.randomness import derived_seed",
        "from sharpest.data import randomness\nrandomness.derived_seed",
        "import sharpest.data.randomness as r\nr.derived_seed",
        "from sharpest.data import randomness\ngetattr(randomness, 'derived_seed')",
        "from sharpest.data.randomness import derived_seed as drawn",
    ],
)
def test_a_script_may_import_a_module_in_any_way(tmp_path, text):
    script = tmp_path / "any.py"
    script.write_text(f"import json\nimport sharpest.pipeline.startup\n{text}\nfrom sharpest.pipeline.job import job\n")
    actual = fingerprint(script)
    assert line_of("sharpest.data.randomness", actual)[1] == {"derived_seed"}
    assert "sharpest.pipeline" not in actual


def line_of(module: str, fingerprint: str) -> tuple[str, set[str]]:
    """Digest and names of a module."""
    (line,) = [line for line in fingerprint.splitlines() if line.startswith(f"{module} ")]
    _, digest, names = line.split()
    return digest, set(names.split(","))


def test_a_script_depends_on_all_its_imports_except_the_job_frame():
    """So no edit is missed; the whole configuration only makes notes for readers."""
    for script in SCRIPT.parent.glob("*.py"):
        tree = ast.parse(script.read_text())
        imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        actual = set(names_in(fingerprint(script)))
        own = {name for name in imported if name and name.startswith("sharpest.")}
        assert own - set(FRAME) <= actual, script
        assert own - set(FRAME), script
        assert not actual & set(FRAME[:-1]), script


def test_edits_of_files_count_in_a_copy_of_the_package(tmp_path):
    """A separate process reads real files: a comment changes nothing, a number does."""
    copy_package(tmp_path)
    script = tmp_path / "train_run.py"
    shutil.copy(SCRIPT, script)
    steps = tmp_path / "sharpest/trajectory/steps.py"
    figure = tmp_path / "draw_figure.py"
    shutil.copy(SCRIPT.with_name("draw_figure.py"), figure)
    code = f"""
import json, pathlib, sharpest.pipeline.fingerprint as f
scripts = map(pathlib.Path, {[str(script), str(figure)]})
print(json.dumps([f.__file__, *map(f.fingerprint, scripts)]))
"""

    def fingerprints() -> list[str]:
        path, *values = json.loads(run_in(tmp_path, code))
        assert Path(path).is_relative_to(tmp_path)
        return values

    before = fingerprints()
    assert before == [fingerprint(SCRIPT), fingerprint(SCRIPT.with_name("draw_figure.py"))]
    for file in (steps, script):
        file.write_text("# a comment\n" + file.read_text())
    assert fingerprints() == before
    for addition in ("import cmath", "def unheard_of():\n    return 1", "class UnheardOf:\n    size = 1", "_SIZE = 1"):
        steps.write_text(f"{steps.read_text()}\n\n{addition}\n")
        assert fingerprints() == before, addition
    steps.write_text(steps.read_text().replace("gradient * -lr", "gradient * -2 * lr"))
    after = fingerprints()
    assert [after[0] != before[0], after[1] == before[1]] == [True, True]
    script.write_text(script.read_text().replace("progress.finish()", "pass"))
    assert [new != old for new, old in zip(fingerprints(), after, strict=True)] == [True, False]
