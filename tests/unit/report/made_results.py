"""A small synthetic results folder for the report, without any training."""

import csv
from pathlib import Path

import builders
import numpy as np
from matplotlib.image import imsave
from results_folder import ResultsFolder

from sharpest.config.studies import AnyStudy, EndPoints, SpectrumEvolution
from sharpest.report.setup import Setup
from sharpest.results.datasets import DATA
from sharpest.results.record import write_record
from sharpest.results.runs import Results

HOSTILE = """</script><script>alert("it's run")</script><img src=x onerror=alert(1)> & {{ 7 * 7 }}"""
FINISHED = "scnn-c10-sgd-lr0.1-S8-s777"
DIVERGED = "scnn-c10-sgd-lr5-S8-s777"
BRANCH = "scnn-c10-sgd-lr0.1-S8-s777@e2/x0.25"
SHA256 = "4fb977e739eede1d9bd1626f086e34a40d84a7a57c89228fc079268ec6b308f2"

_ORIGIN = {
    "config": {}, "dataset": "digits", "reductions": [], "code": "c0de", "git": "1234567+",
    "packages": {"python": "3.11", "torch": "2.14"}, "device": "cpu", "torch_threads": 1,
    "created": "2026-01-02T03:04:05+00:00",
}  # fmt: skip

CENTRAL = "sec3.2.alpha1.scnn"
CLAIMS = [
    # item, kind, expected, tolerance, subject, value, error, seeds, verdict, reason
    ("fig6", "order", "0.1>5", "", f"{FINISHED};{DIVERGED}", "1", "", "5", "holds", ""),
    ("fig6", "sign", "-", "", FINISHED, "0.25", "", "1", "fails", HOSTILE),
    ("fig6", "range", "0.5..1", "", FINISHED, "0.7", "", "1", "inconclusive", "one seed"),
    ("tab1", "value", "1018", "factor:2", FINISHED, "108.359", "28.868", "2", "not_judged", "means nothing here"),
    ("tab1", "trend", "rises-then-falls", "", FINISHED, "", "", "", "holds", ""),
    ("sec3.2", "value", "86", "abs:1.5", FINISHED, "96.7", "0.5", "2", "not_judged", "means nothing here"),
    ("sec3.2", "sign", "+", "", FINISHED, "-0.1", "0.3", "1", "inconclusive", "required: above 0"),
    ("secE", "value", "0", "abs:1e-6", "none (analytic example)", "0", "", "", "holds", ""),
]
_COLUMNS = (
    "id", "item", "kind", "statement", "subject", "quantity", "facet", "expected", "tolerance", "unit", "any_scale",
    "source", "kind_of", "ours", "implied_by", "note", "value", "error", "low", "high", "seeds", "verdict", "p",
    "p_holm", "p_null", "null_holds", "as_claimed", "null_as_claimed", "reason",
)  # fmt: skip


def made_setup() -> Setup:
    """Two figures and a table; captions contain text that a browser must not execute."""
    rows = [
        {"run": FINISHED, "schedule": "step", "label": HOSTILE},
        {"run": DIVERGED, "schedule": "step", "label": "η = 5"},
    ]
    evolution = {"kind": "spectrum_evolution", "num_eigenvalues": 2, "rows": rows}
    table_row = {"label": "γ = 0.01", "runs": [FINISHED], "paper": {"frobenius_best": 1018}}
    studies: dict[str, AnyStudy] = {
        "fig06": SpectrumEvolution.model_validate(evolution | {"caption": f"A {HOSTILE} figure. Used: the code's."}),
        "fig14": SpectrumEvolution.model_validate(evolution | {"caption": "Curves."}),
        "tab1": EndPoints.model_validate({"kind": "end_points", "caption": "A table.", "rows": [table_row]}),
    }
    return Setup(
        scale="quick",
        description="made by a test",
        studies=studies,
        reductions={"fig06": ("digits in place of CIFAR-10",), "fig14": (), "tab1": ("digits in place of CIFAR-10",)},
        runs={FINISHED: "c10", DIVERGED: "c10", BRANCH: "c10"},
        beside={"fig06": ("sec3.2.5", CENTRAL), "fig14": (), "tab1": ()},
        sources={"c10": ("cifar-10", "digits")},
    )


def write_results(path: Path) -> Results:
    """Write all files that a report on :func:`made_setup` reads, and one record of time."""
    folder = ResultsFolder(path)
    paths = folder.paths
    folder.write(paths.data("c10"), DATA, {}, {}, {"dataset": "digits", "sha256": SHA256, "origin": "made"})
    _write_run(folder, FINISHED, 20)
    _write_run(folder, DIVERGED, 12, diverged=12)
    _write_run(folder, BRANCH, 20, stopped=1)
    for name in ("fig06", "fig14"):
        paths.figure(name, "png").parent.mkdir(exist_ok=True)
        imsave(paths.figure(name, "png"), np.linspace(0, 1, 600 * 1200).reshape(600, 1200))
        paths.figure(name, "csv").write_text("panel,series,run,x,y\na,b,c,1,2\na,b,c,2,3\n")
        paths.figure(name, "md").write_text(f"# {name}\n\nOne seed <b>diverged</b>.\n\nFewer examples.\n")
    paths.table("tab1", "csv").parent.mkdir()
    paths.table("tab1", "csv").write_text(
        "row,column,value,spread,seeds,paper\n"
        "γ = 0.01,frobenius_best,108.36,28.87,2,1018\nγ = 0.01,test_acc,0.9667,0.0047,2,0.873\nγ = 0.01,dist,3.4,,2,\n"
        "γ = 0.1,frobenius_best,900,27.7,2,931\nγ = 0.1,test_acc,,,0,0.872\nγ = 0.1,dist,30,,2,\n"
    )
    _write_claims(paths.claims("csv"))
    for name in ("fig06", "fig14"):
        write_record(paths, [paths.figure(name, suffix) for suffix in ("csv", "png", "md")], {})
    write_record(paths, [paths.table("tab1", "csv")], {})
    write_record(paths, [paths.claims("csv"), paths.claims("by_chance.csv")], {})
    return folder.results


def _write_run(folder: ResultsFolder, run: str, last: int, **ending: int) -> None:
    """A run of 5 steps per epoch; except for the branch, it is measured three times, once at a diverged point."""
    settings = builders.run_settings(run=run).model_dump(mode="json")
    arrays = {"epoch": [0, last / 5], "epoch_seconds": [1.5, 2.0], "iteration": [0, last]}
    attributes = _ORIGIN | {"config": settings, "best": 1, "last": 1, "stopped": 0}
    folder.write_snapshots(run, {"t": 2}, arrays, **attributes | ending)
    if run == BRANCH:
        return
    arrays = {
        "epoch": [0, 1, 2], "eigenvalues": [[1, 0.5], [30, 3], [np.nan, np.nan]], "hvps": [10, 11, 12],
        "converged": [[True, True], [False, True], [True, True]],
    }  # fmt: skip
    replays = _ORIGIN | {"replays_checked": 2, "replay_drift": 0.0}
    folder.write_measure("spectra", run, "step", {"t": 3, "k": 2}, arrays, **replays)
    arrays = {"converged": [[True, True], [True, True]]}
    folder.write_measure("evaluations", run, "ends", {"t": 2, "k": 2}, arrays, **replays)


def _write_claims(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        for index, (item, kind, expected, tolerance, subject, value, error, seeds, verdict, reason) in enumerate(
            CLAIMS
        ):
            name, facet = (CENTRAL, "1") if (item, kind) == ("sec3.2", "sign") else (f"{item}.{index}", "0.5")
            writer.writerow({
                "id": name, "item": item, "kind": kind, "expected": expected, "tolerance": tolerance,
                "statement": f"Statement {index} {HOSTILE if index == 0 else ''}", "subject": subject, "quantity": "q",
                "facet": facet, "unit": "%" if item == "sec3.2" else "", "any_scale": "yes", "source": "Fig. 6",
                "kind_of": "sanity" if item == "secE" else "finding", "implied_by": "fig6.0" if index == 2 else "",
                "value": value, "error": error, "low": "0.5" if index == 0 else "", "high": "inf" if index == 0 else "",
                "seeds": seeds, "verdict": verdict, "p": "0.01", "p_holm": "0.02" if index == 0 else "0.3",
                "null_holds": "0.05" if index == 0 else "", "as_claimed": "no" if verdict == "fails" or name == CENTRAL
                else "yes", "reason": reason,
            })  # fmt: skip
    path.with_name("claims.by_chance.csv").write_text(
        "item,claims,holds,null_holds,null_holds_high,p_holds,as_claimed,null_as_claimed,null_as_claimed_high,"
        "p_as_claimed\n"
        "fig6,2,1,0.25,1,0.04,1,0.75,2,0.5\n"
        "all,2,1,0.25,1,0.04,1,0.75,2,0.5\n"
    )
