"""Which definitions count: in small packages where the answer is known, and in this one by real runs and mutants."""

import ast
import copy
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from builders import Run, direction_settings, hessian_settings, nsgd_settings, run_settings

import sharpest
from sharpest.pipeline import fingerprint as module
from sharpest.pipeline.fingerprint import fingerprint
from sharpest.pipeline.reach import Definitions, reached, records_in, unread_exceptions

SCRIPTS = Path(__file__).parents[3] / "workflow/scripts"
PACKAGE = Path(sharpest.__file__).parent
BASE = """
import math
from p.other import helper, Kind as Sort

LIMIT = 3
UNUSED = 4


def entry(value):
    total = helper(value) + LIMIT
    if total < 0:
        raise ValueError(f"{total} is below zero")
    return math.sqrt(total)


def unheard_of(value):
    return UNUSED
"""
OTHER = """
import math
import cmath


def helper(value):
    return Kind().size + value


class Kind:
    size = 1

    def method(self):
        return far()


def far():
    return 1


def farther():
    return 2
"""


def names_of(sources: Mapping[str, str], script: str, dynamic: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """Names that count, by module."""
    return {name: set(names) for name, (names, _) in counted(sources, script, dynamic).items()}


def counted(
    sources: Mapping[str, str], script: str, dynamic: tuple[str, ...] = ()
) -> dict[str, tuple[frozenset[str], str]]:
    """Names that count and their code, by module."""
    trees = {name: ast.parse(source) for name, source in sources.items()}
    unread = unread_exceptions(trees.values())
    modules = {name: Definitions(name, tree, unread, trees) for name, tree in trees.items()}
    actual = reached(modules, Definitions("", ast.parse(script), (), trees), dynamic)
    return {
        name: (names, "".join(map(modules[name].text, modules[name].counted(names)))) for name, names in actual.items()
    }


SCRIPT = "from p.base import entry\nentry(1)"


def test_names_are_followed_through_imports_and_classes_count_whole() -> None:
    assert names_of({"p.base": BASE, "p.other": OTHER}, SCRIPT) == {
        "p.base": {"LIMIT", "entry"},
        "p.other": {"helper", "Kind", "far"},
    }


EDITS = {
    ("is below zero", "is negative"): False,
    ('f"{total} is below zero"', '"below zero"'): False,
    ("import cmath\n", ""): False,
    ("import cmath", "import json, cmath"): False,
    ("import math\nfrom", "import math\nfrom p.other import farther\nfrom"): False,
    ("UNUSED = 4", "UNUSED = 5"): False,
    ("return UNUSED", "return 1 + UNUSED"): False,
    ("return 2", "return 3"): False,
    ("\n\ndef unheard_of", "\n\ndef new():\n    return 1\n\n\ndef unheard_of"): False,
    ("total", "sum_of_all"): False,
    ("LIMIT = 3", "LIMIT = 4"): True,
    ("total < 0", "total < 1"): True,
    ("raise ValueError(", "raise TypeError("): True,
    ("(value) + LIMIT", "(total) + LIMIT"): True,  # another variable
    ("helper(value)", "math(value)"): True,
    ("import math\nfrom", "import cmath as math\nfrom"): True,
    ("import helper, Kind as Sort", "import farther as helper, Kind as Sort"): True,
    ("return 1", "return 7"): True,
    ("def entry(value)", "def entry(number)"): True,
    ("    def method", "    def new(self):\n        return 0\n\n    def method"): True,
    ("LIMIT = 3", "LIMIT = 3\nprint(LIMIT)"): True,
    ("LIMIT = 3", "LIMIT = 3\nmath.inf = 0"): True,
    ("def unheard_of", "@helper\ndef unheard_of"): True,  # which could register it
    ("UNUSED = 4", "UNUSED = helper(4)"): True,
    ("def unheard_of(value)", "def unheard_of(value=helper(3))"): True,
    ("import math\nfrom", "from __future__ import annotations\nimport math\nfrom"): True,
}
"""Old text, new text -> whether the edit counts."""


@pytest.mark.parametrize(("old", "new"), EDITS)
def test_code_that_could_change_a_result_counts_and_no_other(old: str, new: str) -> None:
    sources = {"p.base": BASE, "p.other": OTHER}
    assert any(old in source for source in sources.values())
    count = -1 if old == "total" else 1  # a local variable, everywhere
    changed = {name: source.replace(old, new, count) for name, source in sources.items()}
    assert (counted(changed, SCRIPT) != counted(sources, SCRIPT)) == EDITS[old, new]


READ = {
    "try:\n    1\nexcept ValueError as error:\n    print(str(error) + 'x', file=error)\n    reason = str(error)": True,
    "try:\n    1\nexcept Exception as error:\n    reason = str(error)": True,
    "try:\n    1\nexcept (KeyError, ValueError) as error:\n    reason = error.args": True,
    "try:\n    1\nexcept ValueError as error:\n    raise KeyError(str(error))\n"
    "try:\n    1\nexcept KeyError as error:\n    reason = str(error)": True,
    "try:\n    1\nexcept ValueError as error:\n    raise KeyError(f'{error}') from error": False,
    "try:\n    1\nexcept ValueError as error:\n    raise": False,
    "try:\n    1\nexcept OSError as error:\n    reason = str(error)": False,
    "try:\n    1\nexcept ValueError:\n    reason = 'known'": False,
}


@pytest.mark.parametrize("handler", READ)
def test_the_text_of_an_error_counts_if_code_reads_it_other_than_to_raise_it_again(handler: str) -> None:
    sources = {"p.base": BASE, "p.other": OTHER, "p.third": handler}
    other = {**sources, "p.base": BASE.replace("is below zero", "is negative")}
    assert (counted(other, SCRIPT) != counted(sources, SCRIPT)) == READ[handler]


ALL = {"helper", "Kind", "far", "farther"}


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("from p import other\nother.farther()", {"farther"}),
        ("import p.other\np.other.farther()", {"farther"}),
        ("from p.other import *", ALL),
        ("from p import other\ngetattr(other, 'farther')", {"farther"}),
        ("NAMES = ['farther']\nfrom p import other\ngetattr(other, NAMES[0])", ALL),
        ("from p import other\nother.__dict__", ALL),
        ("from p import other\nvars(other)", ALL),
        ("from p import other\nanother = other\nprint(another)", ALL),
        ("from importlib import import_module\nimport_module('p.other').farther()", {"farther"}),
        ("from importlib import import_module\nm = import_module('p.other')\nm.farther()", {"farther"}),
        ("from importlib import import_module\ngetattr(import_module('p.other'), input())", ALL),
        ("from importlib import import_module\ndef f():\n    return import_module('p.other')\nf()", ALL),
        ("eval('1')", ALL),
        ("globals()", ALL),
        ("class Base:\n    def __init_subclass__(cls): pass\nBase()", ALL),
        ("def f():\n    from p.other import farther\n    return farther()\nf()", {"farther"}),
        ("def f():\n    from p.other import farther\n    return farther()", set()),
        ("class C:\n    def farther(self): pass\n\ndef f(x):\n    return x.farther()\nf(1)", {"farther"}),
        ("REGISTRY = {'a': 'farther'}\nREGISTRY['a']", {"farther"}),
        ("@register\ndef f():\n    from p.other import farther", {"farther"}),
    ],
)
def test_computed_names_make_everything_count(code: str, names: set[str]) -> None:
    assert names_of({"p.user": code, "p.other": OTHER}, "")["p.other"] == names


def test_an_exported_name_is_found() -> None:
    package = "def __getattr__(name):\n    return getattr(import_module(f'p.{name}'), name)\n"
    assert names_of({"p": package, "p.other": OTHER}, "from p import farther")["p.other"] == {"farther"}
    again = "from p.other import farther as far_away"
    assert names_of({"p": again, "p.other": OTHER}, "from p import far_away")["p.other"] == {"farther"}
    assert names_of({"p": again, "p.other": OTHER}, "import p\np.far_away")["p.other"] == {"farther"}


def test_the_name_of_a_variable_counts_if_other_code_may_use_it() -> None:
    """A global variable that is also read, a parameter, a keyword, one named in a text, an attribute of a class."""
    for code in (
        "x = y = 1\ndef f(a):\n    g = [x for x in a]\n    return g + x",
        "def f(x):\n    return x",
        "def f(a):\n    x = a\n    return locals()",
        "def f(a):\n    x = a\n    return a.query('b > @x')",
        "def f(a):\n    class C:\n        x = a\n    return C",
        "def f(a):\n    global x\n    x = a",
        "def f(a):\n    match a:\n        case x:\n            return x\n    x = 1",
    ):
        other = code.replace("x", "y")
        assert (
            counted({"p.user": code}, "import p.user\np.user.f")["p.user"][1]
            != (counted({"p.user": other}, "import p.user\np.user.f")["p.user"][1])
        ), code


def test_parameters_that_are_set_later_are_told_apart() -> None:
    one, other = (
        counted(
            {"p.user": f"def f(a, b):\n    c = {x} - {y}\n    {x} = 0\n    {y} = 0\n    return c"},
            "import p.user\np.user.f",
        )
        for x, y in ("ab", "ba")
    )
    assert one["p.user"][1] != other["p.user"][1]


# --- this package


def jobs() -> Iterator[tuple[str, str]]:
    """Fingerprints of jobs of several kinds."""
    images = ("sharpest.models.simple_cnn", "sharpest.data.images")
    yield "train", fingerprint(SCRIPTS / "train_run.py", *images)
    yield "nsgd", fingerprint(SCRIPTS / "train_run.py", "sharpest.trajectory.eigenpairs", *images)
    for measure in ("spectra", "directions"):
        yield measure, fingerprint(SCRIPTS / "measure.py", f"sharpest.measures.{measure}.measure", *images)
    yield (
        "figure",
        fingerprint(SCRIPTS / "draw_figure.py", "sharpest.figures.alignment", "sharpest.measures.directions"),
    )
    yield "claims", fingerprint(SCRIPTS / "judge_claims.py", "sharpest.measures.directions")


def names_in(lines: str) -> dict[str, set[str]]:
    return {module: set(names.split(",")) for module, _, names in (x.split() for x in lines.splitlines()[1:])}


@contextmanager
def running() -> Iterator[set[tuple[str, str]]]:
    """(module, name) of all functions and classes of the package whose code runs."""
    actual: set[tuple[str, str]] = set()

    def listen(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(f"{PACKAGE}/"):
            path = Path(code.co_filename).relative_to(PACKAGE.parent).with_suffix("")
            actual.add((".".join(path.parts).removesuffix(".__init__"), code.co_qualname.split(".")[0]))

    sys.setprofile(listen)
    try:
        yield actual
    finally:
        sys.setprofile(None)


def measure_directions(run: Run) -> None:
    run.measure_directions(direction_settings(indices=(1, 0, -1), num_gradients=2))


@pytest.mark.parametrize(
    ("job", "settings", "work"),
    [
        ("train", {}, lambda run: run.train()),
        ("nsgd", {"nudge": nsgd_settings()}, lambda run: run.train()),
        ("spectra", {}, lambda run: run.measure_spectrum([0, 3], hessian=hessian_settings(tolerance=1e-2))),
        ("directions", {}, measure_directions),
    ],
)
def test_all_code_that_runs_in_a_job_counts(
    job: str, settings: dict[str, Any], work: Callable[[Run], Any], tmp_path: Path
) -> None:
    run = Run(tmp_path, run_settings(**settings)).prepare()
    if job in ("spectra", "directions"):
        run.train()
    if job == "directions":
        run.measure_spectrum([0, 3], hessian=hessian_settings(tolerance=1e-2))
    with running() as actual:
        work(run)
    known = names_in(dict(jobs())[job])
    # how a job runs; these tests always request a solver, the script only if it is needed
    frame = ("sharpest.pipeline", *(["sharpest.trajectory.eigenpairs"] if job == "train" else []))
    missed = {
        (module, name)
        for module, name in actual
        if not module.startswith(frame) and not name.startswith(("<", "__")) and name not in known.get(module, ())
    }
    assert len(actual) > 60
    assert missed == set()


def mutated(statement: ast.stmt) -> ast.stmt:
    """The same definition, with an additional statement in a body, or a different value."""
    wrong = copy.deepcopy(statement)
    bodies = [node for node in ast.walk(wrong) if isinstance(node, ast.FunctionDef)]
    if isinstance(wrong, ast.ClassDef):
        # a call in the class's own body would run on import, which counts for everybody
        (bodies[-1].body if bodies else wrong.body).append(ast.parse("print(-1.5)" if bodies else "new = -1.5").body[0])
    elif bodies:
        bodies[0].body.insert(0, ast.parse("sum([])").body[0])
    else:
        assert isinstance(wrong, ast.Assign | ast.AnnAssign)
        wrong.value = ast.Tuple([wrong.value or ast.Constant(1)], ast.Load())
    return wrong


RECORDS = """
from dataclasses import dataclass


@dataclass(frozen=True)
class Plain:
    size: int


@dataclass
class Counting:
    size: int

    def __post_init__(self):
        print(self.size)


USED = Plain(1)
UNUSED = Plain(2)
NESTED = Plain(len(open("a")))
COUNTED = Counting(3)
"""


def test_a_record_that_only_stores_what_it_is_given_does_nothing_on_import() -> None:
    own = Definitions("p.sources", ast.parse(RECORDS), (), {"p.sources"})
    script = Definitions("", ast.parse("from p.sources import USED"), (), {"p.sources"})
    assert {name for part in own.parts if part.runs for name in part.names} == {"NESTED", "COUNTED"}
    assert reached({"p.sources": own}, script)["p.sources"] >= {"USED", "Plain"}
    assert "UNUSED" not in reached({"p.sources": own}, script)["p.sources"]


def test_a_record_of_another_module_does_nothing_on_import_either() -> None:
    source = "from p.kinds import Plain, Counting\n\nUSED = Plain(1)\nCOUNTED = Counting(2)\n"
    records = records_in(ast.parse(RECORDS))
    own = Definitions("p.made", ast.parse(source), (), {"p.made", "p.kinds"}, {"p.kinds": records}.__getitem__)
    assert records == {"Plain"}
    assert {name for part in own.parts if part.runs for name in part.names} == {"COUNTED"}


def test_training_on_images_does_not_depend_on_the_layout_of_text() -> None:
    lines = fingerprint(SCRIPTS / "train_run.py", "sharpest.models.resnet", "sharpest.data.images").splitlines()
    (names,) = [line.split()[2].split(",") for line in lines if line.startswith("sharpest.results.datasets ")]
    assert set(names) == {"DATA"}


def test_every_mutant_of_what_is_reached_changes_the_fingerprint_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(jobs())
    reach = {job: names_in(lines) for job, lines in before.items()}
    real, edited = module._definitions, {}
    places = [
        (name, number)
        for name in sorted({name for names in reach.values() for name in names})
        for number, node in enumerate(tree_of(name).body)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        or (isinstance(node, ast.Assign | ast.AnnAssign) and not any(isinstance(i, ast.Call) for i in ast.walk(node)))
    ]
    monkeypatch.setattr(module, "_definitions", lambda name: edited.get(name) or real(name))
    both = {True: 0, False: 0}
    for name, number in random.Random(0).sample(places, 24):
        tree = copy.deepcopy(tree_of(name))
        names = set(Definitions(name, ast.Module([tree.body[number]], []), (), ()).parts[0].names)
        tree.body[number] = mutated(tree.body[number])
        edited.clear()
        edited[name] = Definitions(name, tree, module._unread(), module._graph().modules, module._records)
        module._digest.cache_clear()
        for job, lines in jobs():
            counts = bool(names & reach[job].get(name, set()))
            assert (lines != before[job]) == counts, (job, name, names)
            both[counts] += 1
    module._digest.cache_clear()
    assert min(both.values()) > 24


def tree_of(name: str) -> ast.Module:
    return module._tree(module._file(name))
