# Configuration, wildcards and the few input functions that several rules share.
import os
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError

try:
    from sharpest.config.architectures import architecture_module
    from sharpest.config.project import load_project
    from sharpest.errors import SharpestError
    from sharpest.fingerprint import fingerprint
except ImportError as error:
    raise WorkflowError(
        f"{error}: this environment lacks the package; 'make figures' builds one that has it, "
        "or run: pip install -e . in the folder of the Snakefile"
    )

try:
    PROJECT = load_project(config, Path(workflow.basedir) / "config")
except SharpestError as error:
    raise WorkflowError(str(error))

# jobs in an environment of their own (--sdm conda) find the package in this checkout
os.environ |= {
    "PYTHONPATH": os.pathsep.join(
        [str(Path(workflow.basedir) / "src"), *filter(None, [os.getenv("PYTHONPATH")])]
    )
}

SCALE = PROJECT.settings.scale
RESULTS = f"results/{SCALE}"

_folder = next(
    folder for folder in (Path(RESULTS), *Path(RESULTS).parents) if folder.exists()
)
if not os.access(_folder, os.W_OK | os.X_OK):
    raise WorkflowError(
        f"results folder {_folder.resolve()} cannot be written; correct its rights, or start snakemake with "
        "--directory FOLDER"
    )


wildcard_constraints:
    run="|".join(re.escape(run) for run in PROJECT.run_ids),
    schedule="|".join(re.escape(name) for name in PROJECT.scale.schedules),
    dataset="|".join(re.escape(name) for name in PROJECT.scale.datasets),
    figure=r"fig\d\d",
    table=r"tab\d",


def studies(prefix):
    """Names of the studies that make a figure (fig) or a table (tab)."""
    return [name for name in PROJECT.studies if name.startswith(prefix)]


def figure_files():
    return expand(
        f"{RESULTS}/figures/{{name}}.{{kind}}",
        name=studies("fig"),
        kind=["pdf", "png", "csv"],
    )


def table_files():
    return expand(
        f"{RESULTS}/tables/{{name}}.{{kind}}",
        name=studies("tab"),
        kind=["csv", "md", "tex"],
    )


def snapshots_of(wildcards):
    return f"{RESULTS}/runs/{wildcards.run}/snapshots.h5"


def data_of(wildcards):
    return f"{RESULTS}/data/{PROJECT.run(wildcards.run).dataset_name}.h5"


def settings_of(wildcards):
    return PROJECT.run(wildcards.run).model_dump(mode="json")


def hessian_settings():
    return PROJECT.scale.hessian.model_dump(mode="json")


def measurement_settings():
    return PROJECT.scale.measurement.model_dump(mode="json")


def code_of(*entries):
    """Fingerprint of entry modules and of the run's architecture, as a parameter of a rule."""

    def code(wildcards):
        architecture = architecture_module(PROJECT.run(wildcards.run).model)
        return fingerprint(*entries, architecture)

    return code


def training_code(wildcards):
    """NSGD trains with the eigensolver, SGD does not."""
    entries = ["sharpest.training.run"]
    if PROJECT.run(wildcards.run).nsgd:
        entries.append("sharpest.training.eigenpairs")
    return code_of(*entries)(wildcards)


def spectra_of_figure(wildcards):
    curves = PROJECT.study(wildcards.figure).curves()
    return [f"{RESULTS}/spectra/{curve.run}/{curve.schedule}.h5" for curve in curves]


def directions_of_figure(wildcards):
    study = PROJECT.study(wildcards.figure)
    if not study.wants_directions():
        return []
    return [
        f"{RESULTS}/directions/{curve.run}/{curve.schedule}.h5"
        for curve in study.curves()
    ]


def foot_of(study):
    """The line at the foot of a figure or table: scale, data, reductions."""
    reductions = PROJECT.study_reductions(study)
    against = (
        f"Against the paper: {'; '.join(reductions)}."
        if reductions
        else "Nothing reduced against the paper."
    )
    return f"Scale {SCALE}: {PROJECT.scale.description}. {against}"
