"""The code may not execute the content of a file or a setting. Ruff checks modules, a text search checks rules."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = sorted([ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")])

# rule -> statements that it refuses
REFUSED = {
    "S102": ["exec(text)"],
    "S202": ["tarfile.open(path).extractall()"],
    "S301": ["pandas.read_pickle(path)"],
    "S306": ["tempfile.mktemp()"],
    "S307": ["eval(text)"],
    "S506": ["yaml.load(text)", "yaml.load(text, Loader=yaml.Loader)"],
    "S602": ["subprocess.run(f'ls {name}', shell=True)"],
    "S605": ["os.system(name)", "os.popen(name)", "subprocess.getoutput(name)"],
    "TID251": [
        "import pickle",
        "from pickle import loads",
        "import dill as d",
        "import marshal",
        "numpy.load(path, allow_pickle=flag)",
        "torch.load(path)",
        "shutil.unpack_archive(path)",
    ],
}


@pytest.mark.parametrize("module", ["src/sharpest/data/new.py", "workflow/scripts/new.py"])
def test_ruff_refuses_code_that_executes_files_and_texts(module: str) -> None:
    """With the configuration of the project, as in ``make lint``."""
    statements = [(rule, statement) for rule, statements in REFUSED.items() for statement in statements]
    imports = "import os, shutil, subprocess, tarfile, tempfile, numpy, pandas, torch, yaml"
    code = "\n".join([imports, *(statement for _, statement in statements)])
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise"]
    printed = subprocess.run(
        [*ruff, "--stdin-filename", str(ROOT / module), "-"], cwd=ROOT, input=code, stdout=subprocess.PIPE, text=True
    ).stdout
    refused = {(rule, int(line)) for line, rule in re.findall(r":(\d+):\d+: ([A-Z]+\d+) ", printed)}
    assert [text for line, (rule, text) in enumerate(statements, start=2) if (rule, line) not in refused] == []


def test_pickles_are_read_in_two_places_behind_a_checksum() -> None:
    """The tests of both show that a file with a wrong checksum leaves no trace."""
    unpickling = re.compile(r"allow_pickle=(?!False\b)|^\s*(import|from) pickle\b", re.MULTILINE)
    places = [path for folder in ("src", "workflow") for path in (ROOT / folder).rglob("*.py")]
    assert len(places) > 100
    assert {path.stem for path in places if unpickling.search(path.read_text())} == {"images", "reviews"}


def test_no_rule_has_a_shell() -> None:
    """Rules run scripts, which get their settings as values: no command is made from a setting."""
    assert len(RULES) > 5
    for path in RULES:
        text = path.read_text()
        directives = re.findall(r"^\s*(shell|run|wrapper|cwl|notebook|eval|exec)\s*[:(]", text, re.MULTILINE)
        assert directives == [], path
        calls = re.findall(r"\b(?:os\.system|os\.popen|subprocess|eval|exec|pickle|shell)\s*[.(]", text)
        assert calls == [], path
