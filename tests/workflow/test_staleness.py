"""What an edit makes stale: a matrix of edits of the tiny project, each with the exact jobs that rerun.

The rows are those of the table in ``docs/staleness.md``. Edits are planned together: the reason of a stale job names
the edit that makes it stale.
"""

import hashlib
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from sharpest.config.sources import PTB

from .conftest import ROOT, Project

NSGD = "r32-c10-nsgd-lr0.01-S128-g0.01-K5-plat-s777"
SLOW = "scnn-c10-sgd-lr0.005-S128-s777"
SGD = "scnn-c10-sgd-lr0.01-S128-s777"
BRANCHES = (f"{SGD}@e4/sgd", f"{SGD}@e4/top")
TRUNK = "r32-c10-sgd-lr0.1-S128-s777"
STAGE = "r32-c10-sgd-lr0.1-S128-L10-s777"  # a branch of TRUNK
VGG = "vgg-c10-sgd-lr0.1-S128-s777"
LSTM = "lstm-ptb-sgd-lr1-S20-s777"
NEW = "scnn-c10-sgd-lr0.02-S128-s777"


def train(*runs: str) -> set[str]:
    return {f"train_run {run}" for run in runs}


def figures(*numbers: str) -> set[str]:
    return {f"draw_figure fig{number}" for number in numbers}


SPECTRUM = {
    run: {f"measure spectra {run} {schedule}"}
    for run, schedule in (
        (SLOW, "growth"), (SGD, "step"), (TRUNK, "epochs"), (STAGE, "epochs"), (VGG, "grid"), (LSTM, "grid"),
    )
}  # fmt: skip
SPECTRA = set().union(*SPECTRUM.values())
DIRECTIONS = {f"measure directions {SGD} step"}
EVALUATIONS = {f"measure evaluations {NSGD} ends"}
FIGURES = figures("01", "04", "06", "07", "12")
TABLES = {"write_table tab1"}
CLAIMS = {"judge_claims claims"}
REPORT = {"write_report"}
DRAWN = FIGURES | TABLES | CLAIMS | REPORT
"""All cheap jobs, which share the code that they depend on."""
MEASURED_ON = SPECTRA | DIRECTIONS | EVALUATIONS | DRAWN
"""All that stands behind the runs."""
LSTM_ON = train(LSTM) | SPECTRUM[LSTM] | figures("04") | REPORT
EVERY_RUN = train(NSGD, SLOW, SGD, *BRANCHES, TRUNK, STAGE, VGG, LSTM)

SCALE = "config/scales/tiny.yaml"
Edit = Callable[[Project], None]


def replace(path: str, old: str, new: str) -> Edit:
    return lambda project: project.edit(path, lambda text: text.replace(old, new, 1))


def append(path: str, text: str) -> Edit:
    return lambda project: project.edit(path, lambda old: old + text)


def for_runs(pattern: str, changes: str) -> Edit:
    """An additional entry at the end of the scale, whose last key is for_runs."""
    return append(SCALE, f'  - {{runs: "{pattern}", set: {{{changes}}}}}\n')


def code(*modules: str) -> Edit:
    """An additional statement in each given module of the package, which runs on import."""
    return all_of(*(append(f"src/sharpest/{module}", "\nassert True\n") for module in modules))


def all_of(*edits: Edit) -> Edit:
    def edit(project: Project) -> None:
        for part in edits:
            part(project)

    return edit


def sources(project: Project) -> list[Path]:
    """Every file that holds Python or rules."""
    folders = (project.folder / "src", project.folder / "workflow")
    files = [path for folder in folders for ending in ("py", "smk") for path in folder.rglob(f"*.{ending}")]
    assert len(files) > 100
    return [*files, project.folder / "Snakefile"]


def comment_everything(project: Project) -> None:
    for path in sources(project):
        path.write_text(f"# a remark\n\n{path.read_text()}\n# another\n")


def reword_docstrings(project: Project) -> None:
    for path in sources(project):
        path.write_text(re.sub(r'^( *)"""(?!\n)', r'\1"""Reworded. ', path.read_text(), flags=re.MULTILINE))


def reformat(project: Project) -> None:
    ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "--isolated", "--line-length", "60", "src", "workflow"]
    subprocess.run(ruff, cwd=project.folder, check=True)
    for path in sources(project):
        if path.suffix != ".py":
            path.write_text(re.sub(r"^( *\w+):$", r"\1: ", path.read_text(), flags=re.MULTILINE) + "\n\n")


def touch(project: Project) -> None:
    for path in project.folder.rglob("*"):
        if not path.relative_to(project.folder).parts[0].startswith((".snakemake", "results")):
            os.utime(path)


def reorder(project: Project) -> None:
    """Keys in reverse order, except studies, whose order the report follows."""

    def reversed_keys(value: object) -> object:
        if isinstance(value, dict):
            as_they_are = any(key in ("fig01", "tab1") for key in value)
            items = value.items() if as_they_are else reversed(value.items())
            return {key: reversed_keys(item) for key, item in items}
        return [reversed_keys(item) for item in value] if isinstance(value, list) else value

    for name in ("config.yaml", "studies.yaml", "scales/tiny.yaml", "scales/quick.yaml", "scales/paper.yaml"):
        rewrite(f"config/{name}", reversed_keys)(project)


def rewrite(path: str, change: Callable[[dict[str, object]], object]) -> Edit:
    return lambda project: project.edit(
        path, lambda text: yaml.safe_dump(change(yaml.safe_load(text)), sort_keys=False)
    )


def move(project: Project) -> None:
    """To a folder of another name, in which the tests continue."""
    elsewhere = project.folder.with_name("elsewhere")
    project.folder.rename(elsewhere)
    object.__setattr__(project, "folder", elsewhere)


def new_measure(project: Project) -> None:
    """A new folder beside the existing measures."""
    folder = project.folder / "src/sharpest/measures/newest"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        """from sharpest.config.measures import Cost, Measure
from sharpest.config.strict import Strict
from sharpest.results.layout import Dataset, measured_layout


class Settings(Strict):
    pass


MEASURE = Measure(
    title="newest",
    settings=Settings,
    layout=measured_layout("newest", 1, Dataset("norm", "f8", ("t",), "", "|theta|")),
    cost=lambda settings, point: Cost(),
)
"""
    )
    (folder / "measure.py").write_text(
        "def measure(point, settings):\n    return {'norm': float(point.theta.norm())}\n"
    )


NEWEST = f"""
fig_newest:
  kind: measured
  caption: newest
  panels:
    - title: norm
      measure: newest
      column: norm
      curves:
        - {{run: {SGD}, schedule: step, label: SGD}}
"""

NOTHING: set[str] = set()
MATRIX: dict[str, tuple[Edit, set[str]]] = {
    # style
    "a comment, in any module, script or rule": (comment_everything, NOTHING),
    "a docstring": (reword_docstrings, NOTHING),
    "formatting": (reformat, NOTHING),
    "the text of an error": (
        replace("src/sharpest/results/file.py", "is damaged (a checksum", "is bad (a checksum"), NOTHING,
    ),
    "the name of a local variable": (
        all_of(
            replace("src/sharpest/data/randomness.py", "    digest = ", "    drawn = "),
            replace("src/sharpest/data/randomness.py", "from_bytes(digest,", "from_bytes(drawn,"),
        ),
        NOTHING,
    ),
    "an unused import": (append("src/sharpest/data/randomness.py", "\nimport this\n"), NOTHING),
    "a new function that is never called": (
        append("src/sharpest/data/randomness.py", "\n\ndef unheard_of() -> int:\n    return 1\n"), NOTHING,
    ),
    "a newer timestamp on any source file": (touch, NOTHING),
    "the order of keys in the configuration": (reorder, NOTHING),
    "the folder of the checkout": (move, NOTHING),
    # code
    "the drawing of one kind of figure": (code("figures/step_surface.py"), FIGURES | REPORT),
    "the style of all figures": (code("figures/canvas.py"), FIGURES | REPORT),
    "the drawing of tables": (code("tables/end_points.py"), TABLES | REPORT),
    # a figure may state the intervals of its claims
    "the rules of verdicts": (code("claims/verdicts.py"), FIGURES | CLAIMS | REPORT),
    "the code of the report page": (code("report/build.py"), REPORT),
    "the report's template, style or script": (
        all_of(*(append(f"src/sharpest/report/page.{kind}", "\n ") for kind in ("html.jinja", "css", "js"))), REPORT,
    ),
    "the measurement of directions": (
        code("measures/directions/measure.py"), DIRECTIONS | figures("06") | CLAIMS | REPORT,
    ),
    "the evaluation of end points": (code("measures/evaluations/measure.py"), EVALUATIONS | TABLES | REPORT),
    "a new measure that no schedule takes": (new_measure, NOTHING),
    "a new measure in a schedule": (
        all_of(
            new_measure,
            replace(SCALE, "{directions: {num_gradients: 3}}", "{directions: {num_gradients: 3}, newest: {}}"),
            append("config/studies.yaml", NEWEST),
        ),
        {f"measure newest {SGD} step"} | figures("_newest") | DRAWN,
    ),
    "a new setting in the class of a measure": (
        replace(
            "src/sharpest/measures/directions/__init__.py",
            "    num_gradients: PositiveInt\n",
            "    num_gradients: PositiveInt\n    novelty: int = 0\n",
        ),
        DIRECTIONS | DRAWN,
    ),
    "the eigensolver": (code("curvature/lanczos.py"), train(NSGD, *BRANCHES) | MEASURED_ON),
    "the Hessian": (code("curvature/hessian.py"), train(NSGD, *BRANCHES) | MEASURED_ON),
    "the training loop": (code("trajectory/epoch.py"), EVERY_RUN | MEASURED_ON),
    "one architecture": (
        code("models/simple_cnn.py"),
        train(SLOW, SGD, *BRANCHES)
        | SPECTRUM[SLOW] | SPECTRUM[SGD] | DIRECTIONS | figures("01", "06", "07") | CLAIMS | REPORT,
    ),
    "one kind of data": (code("data/tokens.py"), LSTM_ON),
    "the decoding of one data set": (
        replace("src/sharpest/data/sources/tokens.py", 're.findall("[a-z]+"', 're.findall("[a-z]{1,}"'),
        {"prepare_data ptb"} | LSTM_ON,
    ),
    "the layout of a kind of file": (
        code("measures/spectra/__init__.py"), SPECTRA | DIRECTIONS | DRAWN,
    ),
    "a rule's script": (
        append("workflow/scripts/measure.py", "\nEDITED = 1\n"),
        SPECTRA | DIRECTIONS | EVALUATIONS | figures("01", "04", "06", "12") | TABLES | CLAIMS | REPORT,
    ),
    "what a job prints, or records about its machine": (
        code("pipeline/job.py", "pipeline/provenance.py"), NOTHING,
    ),
    "a rule's memory or time limit": (replace("workflow/rules/train.smk", "=grows(", "=grows(2 * "), NOTHING),
    # settings
    "the learning rate of one run": (
        for_runs(SLOW, "lr_factor: 5"), train(SLOW) | SPECTRUM[SLOW] | figures("01") | REPORT,
    ),
    "the length of one run": (
        for_runs(SLOW, "epochs: 3"), train(SLOW) | SPECTRUM[SLOW] | figures("01") | REPORT,
    ),
    "the length of a branch": (
        replace(SCALE, "set: {epochs: 3}", "set: {epochs: 4}"), train(STAGE) | SPECTRUM[STAGE] | figures("12") | REPORT,
    ),
    "the length of a run that others branch off": (
        for_runs(TRUNK, "epochs: 3"),
        train(TRUNK, STAGE) | SPECTRUM[TRUNK] | SPECTRUM[STAGE] | figures("12") | REPORT,
    ),
    "a new run in a figure": (
        all_of(
            append("config/runs.tsv", f"{NEW}\tnew\t200\n"),
            replace("config/studies.yaml", f"{{run: {SGD}, ", f"{{run: {NEW}, "),
        ),
        train(NEW) | {f"measure spectra {NEW} step", f"measure directions {NEW} step"} | figures("06") | REPORT,
    ),
    "a new study on an old run": (
        append("config/studies.yaml", f"""
fig02:
  kind: spectrum_evolution
  caption: new
  num_eigenvalues: 3
  rows:
    - {{run: {SGD}, schedule: evolution, label: SimpleCNN}}
"""),
        {f"measure spectra {SGD} evolution"} | figures("02") | REPORT,
    ),
    "the points of a schedule": (
        replace(SCALE, "every 4 iterations", "every 5 iterations"),
        SPECTRUM[SGD] | DIRECTIONS | figures("06") | CLAIMS | REPORT,
    ),
    "the number of gradients or alphas of a schedule": (
        replace(SCALE, "num_gradients: 3", "num_gradients: 4"), DIRECTIONS | figures("06") | CLAIMS | REPORT,
    ),
    "the number of examples behind a Hessian": (
        replace(SCALE, "hessian: {examples: 32", "hessian: {examples: 33"),
        train(NSGD, *BRANCHES) | (MEASURED_ON - SPECTRUM[LSTM]),
    ),
    "the number of CPU threads of a job": (
        replace(SCALE, "description", "torch_threads: 2\ndescription"), EVERY_RUN | MEASURED_ON,
    ),
    "an axis limit": (
        replace("config/studies.yaml", "grid_limit: 5", "grid_limit: 4"), figures("06") | REPORT,
    ),
    "a figure's caption": (replace("config/studies.yaml", "caption: step", "caption: another one"), REPORT),
    "a table's caption": (
        replace("config/studies.yaml", "caption: end points", "caption: another one"), TABLES | REPORT,
    ),
    "the order of studies": (
        rewrite("config/studies.yaml", lambda studies: dict(reversed(studies.items()))), REPORT,
    ),
    "a claim": (replace("config/claims.csv", ",+,", ",-,"), CLAIMS | REPORT),
    "the scale's description": (
        replace(SCALE, "tiny, for tests", "tiny"), FIGURES | TABLES | CLAIMS | REPORT,
    ),
    "a key that no job uses": (
        all_of(
            for_runs("imdb*", "patience: 26, clip_norm: 3"),
            replace("config/config.yaml", "sources: {", "sources: {cifar-10: {url: 'http://localhost'}, "),
        ),
        NOTHING,
    ),
    "the location of data files": (
        replace("config/config.yaml", "sources: {}", "sources: {digits: {folder: src}, python-topics: {folder: src}}"),
        NOTHING,
    ),
    # around it
    "the version of the package": (
        replace("src/sharpest/__init__.py", '__version__ = "', '__version__ = "9.'), NOTHING,
    ),
    "versions of other packages": (
        all_of(
            append("envs/sharpest.yaml", "# a remark\n"), replace("envs/sharpest.yaml", "torch==", "torch==9.")
        ),
        NOTHING,
    ),
}  # fmt: skip
PLANS = {
    "new": {
        "a new run in a figure": ": Missing output files: .*lr0.02",
        "a new study on an old run": ": Missing output files: .*(evolution|fig02)",
        "a new measure in a schedule": ": Missing output files: .*newest|measures.newest is new",
    },
    "training": {
        "one architecture": "models.simple_cnn changed",
        "the number of CPU threads of a job": "torch_threads",
        "the training loop": "trajectory.epoch changed",
        "the length of one run": f"{SLOW}: settings.epochs",
        "the length of a run that others branch off": f"{TRUNK}: settings.epochs",
        "one kind of data": "data.tokens changed",
        "the learning rate of one run": "settings.lr ",
    },
    "report": {
        "the report's template, style or script": "^write_report: assets ",
        "the code of the report page": "report.build changed",
        "the order of studies": "^write_report: order",
        "a figure's caption": "^write_report: fig06.study.caption",
    },
    "drawing": {
        "an axis limit": "study.grid_limit",
        "the drawing of tables": "tables.end_points changed",
        "the style of all figures": "figures.canvas changed",
        "a table's caption": "^write_table tab1: study.caption",
        "the scale's description": r"Scale tiny: tiny\.",
        "the drawing of one kind of figure": "figures.step_surface changed",
        "a claim": "^judge_claims claims: ledger",
        "the rules of verdicts": "claims.verdicts changed",
    },
    "measuring": {
        "the layout of a kind of file": "measures.spectra changed",
        "the evaluation of end points": "evaluations.measure changed",
        "the points of a schedule": ": segments",
        "a rule's script": "scripts/measure.py changed",
    },
    "directions": {
        "the measurement of directions": "directions.measure changed",
        "the number of gradients or alphas of a schedule": "settings.num_gradients",
        "a new setting in the class of a measure": "settings.novelty|measures.directions changed",
        "the length of a branch": "settings.epochs",
        "the decoding of one data set": "sources.tokens changed",
    },
    "curvature": {
        "the number of examples behind a Hessian": "hessian.examples",
        "the Hessian": "curvature.hessian changed",
        "the eigensolver": "curvature.lanczos changed",
    },
}
"""Edits that are planned together -> a pattern in the jobs' own reasons, ``<job>: <reason>``.

Of a job behind another stale one, only that is a reason, so it may be behind any edit that is to make it stale.
"""
PLANS["nothing"] = {edit: "an edit that is not noticed" for edit, (_, jobs) in MATRIX.items() if not jobs}


class Planned(NamedTuple):
    """A job in a plan."""

    reasons: list[str]
    inputs: set[str]
    outputs: set[str]


def plan_of(project: Project, *arguments: str) -> dict[str, Planned]:
    """Rule and wildcards of each job in the plan of a dry run, without the targets."""
    result = project.snakemake("--dry-run", *(arguments if "results/" in "".join(arguments) else ["all", *arguments]))
    assert result.returncode == 0, result.stdout
    jobs = {}
    for rule, body in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", result.stdout, re.MULTILINE):
        shown = dict(re.findall(r"^    (\w+): (.*)", body, re.MULTILINE))
        if "output" in shown:
            name = " ".join([rule, *re.findall("=([^,]+)", shown.get("wildcards", ""))])
            assert name not in jobs
            own = re.sub("; Input files updated by another job: .*|Input files updated .*", "", shown["reason"])
            reasons = re.split(", (?=[a-z])", own.removeprefix("Params have changed since last execution: "))
            files = (set(shown.get(kind, "").split(", ")) - {""} for kind in ("input", "output"))
            jobs[name] = Planned(reasons, *files)
    assert jobs or "Nothing to be done" in result.stdout
    return jobs


def stale_jobs(project: Project, *arguments: str) -> set[str]:
    return set(plan_of(project, *arguments))


def stale_through(plan: dict[str, Planned], cause: str) -> set[str]:
    """The jobs whose own reasons fit the pattern, and all jobs of the plan behind these."""
    found = {name for name, job in plan.items() if any(re.search(cause, f"{name}: {each}") for each in job.reasons)}
    while True:
        made = {path for name in found for path in plan[name].outputs}
        behind = {name for name, job in plan.items() if job.inputs & made} | found
        if behind == found:
            return found
        found = behind


@pytest.mark.parametrize("plan", PLANS)
def test_an_edit_reruns_these_jobs_and_no_others(replanned: Project, plan: str) -> None:
    """Each job of the plan is stale through these edits."""
    # edits of style are the first of the matrix; they come last, as the others search for text
    for edit in reversed(MATRIX):
        if edit in PLANS[plan]:
            MATRIX[edit][0](replanned)
    planned = plan_of(replanned)
    expected = {edit: MATRIX[edit][1] for edit in PLANS[plan]}
    made = {path for job in planned.values() for path in job.outputs}
    behind = {name for name, job in planned.items() if job.inputs & made}
    found = {edit: stale_through(planned, cause) for edit, cause in PLANS[plan].items()}
    assert {edit: jobs | (expected[edit] & behind) for edit, jobs in found.items()} == expected
    assert set(planned) == set().union(*expected.values())


def test_every_edit_is_planned() -> None:
    assert sorted(edit for plan in PLANS.values() for edit in plan) == sorted(MATRIX)


@pytest.mark.slow
def test_a_comment_in_a_script_counts_without_a_profile_only(replanned: Project) -> None:
    """Without the profile, Snakemake compares timestamps of scripts; it finds the default profile itself."""
    append("workflow/scripts/write_table.py", "# a remark\n")(replanned)
    profiles = {path.name: (path / "config.yaml").read_text() for path in (ROOT / "workflow/profiles").iterdir()}
    assert {"default", "local"} <= set(profiles)
    assert all("\nrerun-triggers: [mtime, params, input, software-env]" in text for text in profiles.values())
    assert stale_jobs(replanned) == NOTHING
    without = ("--workflow-profile", "none")
    assert stale_jobs(replanned, *without) == TABLES | REPORT
    assert stale_jobs(replanned, *without, "--rerun-triggers", "mtime", "params", "input", "software-env") == NOTHING


@pytest.mark.slow
def test_data_files_count_when_they_are_decoded_only(replanned: Project) -> None:
    """They are checked then, and the decoded arrays are stored with their hash."""
    project = replanned
    raw = project.folder / "raw"
    raw.mkdir()
    words = [f"w{number}" for number in range(PTB.num_types - 1)]
    for name, count in (("train", PTB.num_train), ("valid", PTB.num_val), ("test", PTB.num_test)):
        text = " ".join(itertools.islice(itertools.cycle(words), count - 1))
        (raw / f"ptb.{name}.txt").write_text(f"{text}\n")
    replace("config/config.yaml", "datasets: {}", "datasets: {ptb: {source: ptb, vocabulary: 10000}}")(project)
    replace("config/config.yaml", "sources: {}", "sources: {ptb: {folder: raw}}")(project)
    data = "results/tiny/data/ptb.h5"
    (project.folder / data).unlink()  # from another source, which must not be mixed in
    made = project.snakemake("--cores", "1", data)
    assert made.returncode == 0, made.stdout
    for path in raw.iterdir():
        os.utime(path)
    assert stale_jobs(project, data) == NOTHING
    shutil.move(raw, project.folder / "moved")
    replace("config/config.yaml", "folder: raw", "folder: moved")(project)
    assert stale_jobs(project, data) == NOTHING
    (project.folder / "moved/ptb.train.txt").write_text("other words")
    assert stale_jobs(project, data) == NOTHING
    # and once decoding is requested, it notices
    refused = project.snakemake("--cores", "1", "--forcerun", "prepare_data", "--", data)
    assert refused.returncode != 0
    assert "ptb.{train,valid,test}.txt: the train text has 2 tokens" in refused.stdout


@pytest.mark.slow
def test_reasons_are_named_and_results_are_accepted_without_changing_a_byte(replanned: Project) -> None:
    MATRIX["the learning rate of one run"][0](replanned)
    code("measures/directions/measure.py")(replanned)
    replace("config/studies.yaml", "num_eigenvalues: 2", "num_eigenvalues: 1")(replanned)
    plan = replanned.snakemake("--dry-run", "all").stdout
    changed = "reason: Params have changed since last execution: "
    assert f"{changed}settings.lr 0.015 -> 0.025\n" in plan
    assert f"{changed}sharpest.measures.directions.measure changed\n" in plan
    assert f"{changed}study.num_eigenvalues 2 -> 1\n" in plan
    assert replanned.sharpest("why").stdout.splitlines() == [
        f"results/tiny/directions/{SGD}/step.h5: sharpest.measures.directions.measure changed",
        "results/tiny/figures/fig04.pdf: study.num_eigenvalues 2 -> 1",
        f"results/tiny/runs/{SLOW}/snapshots.h5: settings.lr 0.015 -> 0.025",
        "depend on these: 2 draw_figure, 1 judge_claims, 1 measure, 1 write_report",
    ]
    before = digests(replanned.folder / "results")
    # one file by its name, then all
    assert replanned.snakemake("--touch", "results/tiny/figures/fig04.png").returncode == 0
    assert stale_jobs(replanned) == (train(SLOW) | SPECTRUM[SLOW] | DIRECTIONS | figures("01", "06") | CLAIMS | REPORT)
    new_study, missing = MATRIX["a new study on an old run"]
    new_study(replanned)
    accepted = replanned.snakemake("--touch", "all")
    assert accepted.returncode == 0, accepted.stdout
    after = digests(replanned.folder / "results")
    assert before.items() <= after.items()
    assert all(path.startswith("tiny/logs/") for path in after.keys() - before.keys())
    # missing files stay missing, and the next run makes them
    assert stale_jobs(replanned) == missing
    # later edits are compared with this state
    for_runs(LSTM, "snapshot_every: 2")(replanned)
    assert stale_jobs(replanned) == LSTM_ON | missing


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file in the folder, by path; the lock names the process that holds it."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    assert len(paths) > 50
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_every_edit_of_the_matrix_is_in_the_documentation_and_no_other() -> None:
    page = (ROOT / "docs/staleness.md").read_text()
    assert re.findall(r"^\| ([^|]+?) +\|", page.partition("|---")[2], re.MULTILINE) == list(MATRIX)
