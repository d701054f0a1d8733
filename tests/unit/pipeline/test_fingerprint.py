"""Comments and docstrings change no fingerprint; code changes the fingerprints of its importers."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sharpest
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


def test_parent_packages_run_too_and_belong_to_the_closure():
    closure = import_closure("sharpest.models.resnet")
    assert {"sharpest.models", "sharpest.models.resnet", "sharpest.config", "sharpest.config.architectures"} <= set(
        closure
    )
    # but the package itself holds only the version and open_point
    assert "sharpest" not in closure


# --- packages that import their exports on demand


ENGINE = {f"sharpest.curvature.{name}" for name in ("hessian", "lanczos", "stochastic")}
ALL = "from sharpest.curvature import trace"
CLOSURES = {
    "from sharpest.curvature import trace": ENGINE,
    "import sharpest.curvature": ENGINE,
    "from sharpest import curvature": ENGINE,
    "def later():\n    from sharpest.curvature import trace": ENGINE,
    "from sharpest.curvature import hessian, trace": ENGINE,
    "import sharpest.curvature.hessian": {"sharpest.curvature.hessian"},
    "from sharpest.curvature.hessian import Hessian": {"sharpest.curvature.hessian"},
    "from sharpest.curvature import hessian": {"sharpest.curvature.hessian"},
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sharpest.curvature import trace": set(),
}
"""Code -> the modules of the engine that it depends on; importing an export depends on all exporting modules."""


def test_what_an_import_depends_on(tmp_path):
    """Of new modules in a copy of the package, in a process of its own."""
    folder = tmp_path / "sharpest"
    shutil.copytree(Path(sharpest.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for number, code in enumerate(CLOSURES):
        (folder / f"measures/new{number}.py").write_text(code)
    ask = (
        "import json, sharpest.pipeline.fingerprint as f; "
        f"print(json.dumps([f.import_closure(f'sharpest.measures.new{{n}}') for n in range({len(CLOSURES)})]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    asked = subprocess.run(
        [sys.executable, "-c", ask], env=environment, check=True, capture_output=True, text=True
    ).stdout
    for (code, expected), closure in zip(CLOSURES.items(), json.loads(asked), strict=True):
        assert ENGINE & set(closure) == expected, code
        assert ("sharpest.curvature" in closure) == bool(expected), code


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


def names_in(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()]


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
