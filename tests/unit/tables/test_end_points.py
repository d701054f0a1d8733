"""The table, compared with numbers worked out by hand."""

import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from results_folder import ResultsFolder

from sharpest.config.studies import EndPoints
from sharpest.tables.end_points import build, latex, markdown

LATEX = shutil.which("pdflatex")
A7, A8 = (f"r32-c10-nsgd-lr0.1-S128-g0.1-K5-plat-s{seed}" for seed in (777, 778))
B7, B8 = (f"r32-c10-sgd-lr0.1-S128-plat-s{seed}" for seed in (777, 778))
ROWS = (
    {"label": "γ = 0.1", "runs": (A7, A8), "paper": {"frobenius_best": 272, "test_acc": 0.873}},
    {"label": "SGD(0.1)", "runs": (B7, B8), "paper": {"loss_final": 0.0094}},
)


def _study(*columns: str, rows: tuple[dict[str, Any], ...] = ROWS) -> EndPoints:
    values = {"kind": "end_points", "caption": "ResNet_32 at 100 %", "rows": rows}
    return EndPoints.model_validate(values | ({"columns": columns} if columns else {}))


class Folder(ResultsFolder):
    """Writes end points, with the states and the history of their run."""

    def evaluate(
        self,
        run: str,
        scale: float = 1.0,
        probe_error: float = 0.0,
        missed: int = 0,
        diverged: float | None = None,
        early_epoch: int = 50,
        val_accuracy_early: float = 0.5,
        epoch_seconds: float = math.nan,
    ) -> None:
        """All numbers are multiplied by ``scale``; NaN seconds mean that no epoch was trained."""
        arrays = {
            "iteration": [5, 9],
            "epoch": [5, 9],
            "eigenvalues": np.ones((2, 3)),
            "converged": np.arange(6).reshape(2, 3) >= missed,
            "spectral_norm": [50 * scale, 60 * scale],
            "frobenius": [100 * scale, 200 * scale],
            "frobenius_probe": [110 * scale, 220 * scale],
            "frobenius_probe_error": [0, 220 * scale * probe_error],
            "test_accuracy": [0.8 * scale, 0.1],
            "train_loss": [9, 0.01 * scale],
            "distance": [20 * scale, 99],
        }
        settings = {"early_epoch": early_epoch, "examples": 5120, "num_probes": 50}
        self.write_measure(
            "evaluations", run, "ends", {"t": 2, "k": 3}, arrays, settings=settings, diverged_epoch=diverged
        )
        # with a median that differs from the mean
        seconds = [] if math.isnan(epoch_seconds) else [epoch_seconds, 99.0, epoch_seconds]
        self.write_snapshots(run, {"t": 1}, {"epoch_seconds": seconds})
        self.write_history(run, {"epoch": [early_epoch - 1, early_epoch], "val_accuracy": [0.99, val_accuracy_early]})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def evaluated(folder: Folder) -> Folder:
    folder.evaluate(A7)
    folder.evaluate(A8, 1.1)
    folder.evaluate(B7, val_accuracy_early=math.nan)
    folder.evaluate(B8, 1e6, diverged=3.25)
    return folder


def _row(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """The means of a row."""
    return table[(table["row"] == label) & ~table["run"].str.startswith("r32-")].set_index("column")


def test_values_are_means_and_sample_deviations_over_seeds(evaluated: Folder) -> None:
    table = build(_study(), evaluated.results)
    assert list(table.columns) == ["row", "column", "run", "value", "spread", "seeds", "paper"]
    first = _row(table, "γ = 0.1")
    assert first["value"].to_dict() == pytest.approx(
        {
            "frobenius_best": 105,
            "frobenius_final": 210,
            "frobenius_probe_best": 115.5,
            "frobenius_probe_final": 231,
            "test_acc": 0.84,
            "val_acc_early": 0.5,
            "loss_final": 0.0105,
            "dist": 21,
        }
    )
    assert first.loc["frobenius_best", "spread"] == pytest.approx(10 / math.sqrt(2))
    assert set(first["seeds"]) == {2}
    assert first.loc["frobenius_best", "paper"] == 272
    assert math.isnan(first.loc["dist", "paper"])


def test_a_study_chooses_its_columns(evaluated: Folder) -> None:
    table = build(_study("spectral_norm", "frobenius", "test_acc", rows=ROWS[:1]), evaluated.results)
    means = _row(table, "γ = 0.1")
    assert means.index.tolist() == [
        "spectral_norm_best", "spectral_norm_final", "frobenius_best", "frobenius_final", "test_acc"
    ]  # fmt: skip
    assert means["value"].tolist()[:2] == pytest.approx([52.5, 63])


def test_five_seeds_are_in_the_mean_and_each_in_a_row_of_its_own(folder: Folder) -> None:
    runs = [f"r32-c10-sgd-lr0.1-S128-plat-s{seed}" for seed in range(1001, 1006)]
    for factor, run in enumerate(runs, start=1):
        folder.evaluate(run, factor, diverged=3.25 if factor == 5 else None)
    study = _study("dist", rows=({"label": "SGD", "runs": runs[:1], "paper": {"dist": 21.08}},)).of_seeds(
        range(1001, 1006)
    )
    table = build(study, folder.results)
    assert table["run"].tolist() == ["mean of 1001, 1002, 1003, 1004", *runs]
    mean, *single = table.to_dict("records")
    assert (mean["value"], mean["seeds"], mean["paper"]) == (50, 4, 21.08)
    assert mean["spread"] == pytest.approx(20 * math.sqrt((2.25 + 0.25 + 0.25 + 2.25) / 3))
    assert [record["value"] for record in single[:4]] == [20, 40, 60, 80]
    assert math.isnan(single[4]["value"])
    assert [record["seeds"] for record in single] == [1, 1, 1, 1, 0]
    assert table["paper"].notna().sum() == 1
    assert "| 50.0 ± 25.8 (paper 21.08) | 4; seed 1005 diverged at epoch 3.25 |" in markdown(study, table, "")


def test_a_diverged_run_is_kept_out_of_the_mean_over_the_healthy_ones(evaluated: Folder) -> None:
    table = build(_study(), evaluated.results)
    second = _row(table, "SGD(0.1)")
    assert second.loc["dist", "value"] == 20
    assert math.isnan(second.loc["dist", "spread"])
    assert second.loc["dist", "seeds"] == 1
    assert (second.loc["val_acc_early", "seeds"], math.isnan(second.loc["val_acc_early", "value"])) == (0, True)
    assert table.attrs["seeds"] == {"γ = 0.1": "2", "SGD(0.1)": "1; seed 778 diverged at epoch 3.25"}


def test_a_row_of_which_every_run_diverged_says_so(evaluated: Folder) -> None:
    evaluated.evaluate(A7, diverged=12.0)
    evaluated.evaluate(A8, diverged=0.5)
    table = build(_study(), evaluated.results)
    first = _row(table, "γ = 0.1")
    assert first["value"].isna().all()
    assert set(first["seeds"]) == {0}
    line = markdown(_study(), table, "").splitlines()[4]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:4] == ["γ = 0.1", "– / – (paper 272 / –)", "– / –", "– (paper 87.3)"]
    assert cells[-1] == "none; seed 777 diverged at epoch 12; seed 778 diverged at epoch 0.5"


def test_a_table_of_diverged_runs_is_still_written(folder: Folder) -> None:
    for run in (A7, A8, B7, B8):
        folder.evaluate(run, diverged=1.0)
    table = build(_study(), folder.results)
    assert table.attrs["notes"] == []
    assert markdown(_study(), table, "").count("none; seed 777") == 2


def test_markdown(evaluated: Folder) -> None:
    study = _study()
    caption, body, *below = markdown(study, build(study, evaluated.results), "digits | small").rstrip().split("\n\n")
    assert caption == study.caption
    header, rule, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]
    assert header[:2] == ["", "Frobenius norm of H, best / final"]
    assert header[4] == "Val. acc. (50) (%)"
    assert len(header) == len(rule) == 8
    assert rows == [
        ["γ = 0.1", "105 ± 7 / 210 ± 14 (paper 272 / –)", "116 ± 8 / 231 ± 16", "84.0 ± 5.7 (paper 87.3)", "50.0 ± 0.0",
         "0.0105 ± 0.0007", "21.0 ± 1.4", "2"],
        ["SGD(0.1)", "100 / 200", "110 / 220", "80.0", "–", "0.0100 (paper 0.0094)", "20.0",
         "1; seed 778 diverged at epoch 3.25"],
    ]  # fmt: skip
    assert below[0] == "Mean ± sample standard deviation over seeds; the paper's number in brackets."
    assert below[-1] == "digits | small"


@pytest.mark.parametrize(
    ("column", "value", "printed"),
    [("test_acc", 0.69, "69.0"), ("test_acc", 0.8883, "88.83"), ("loss_final", 8e-5, "0.00008"), ("dist", 22.9, "22.9"),
     ("frobenius_best", 1018, "1018 / –")],
)  # fmt: skip
def test_the_papers_digits(folder: Folder, column: str, value: float, printed: str) -> None:
    study = _study(rows=({"label": "γ = 0.1", "runs": (A7,), "paper": {column: value}},))
    folder.evaluate(A7)
    text = markdown(study, build(study, folder.results), "")
    assert text.count("(paper ") == 1
    assert f"(paper {printed})" in text


def test_the_norms_and_the_error_of_the_probes_are_explained(folder: Folder) -> None:
    """The largest error counts, here 22 of 220, not counting a diverged run."""
    folder.evaluate(A7, probe_error=0.1)
    folder.evaluate(A8, probe_error=0.04)
    folder.evaluate(B7)
    folder.evaluate(B8, probe_error=0.5, diverged=1.0)
    (note,) = build(_study(), folder.results).attrs["notes"]
    assert note.startswith(
        "Norms of H on 5,120 training examples: Frobenius from the 3 largest eigenvalues; from probes"
    )
    assert "Hutchinson++ with 50 products" in note
    assert "standard error at most 10 %" in note
    (note,) = build(_study("frobenius", "test_acc", "loss_final"), folder.results).attrs["notes"]
    assert "probes" not in note
    assert "spectral" not in note
    (note,) = build(_study("spectral_norm", "frobenius", "test_acc", "loss_final"), folder.results).attrs["notes"]
    assert note.endswith("; spectral, the largest magnitude of an eigenvalue.")


def test_eigenvalues_above_the_tolerance_are_counted(folder: Folder) -> None:
    folder.evaluate(A7, missed=4)
    folder.evaluate(A8)
    folder.evaluate(B7, missed=1)
    folder.evaluate(B8, missed=6, diverged=1.0)
    notes = build(_study(), folder.results).attrs["notes"]
    assert notes[1:] == ["Residual above the solver's tolerance: 5 of 18 eigenvalues."]


@pytest.mark.parametrize(
    ("seconds", "times"),
    [
        ((20.0, 30.0, 10.0, 12.0), "2 to 2.5"),
        ((20.0, 24.0, 10.0, 12.0), "2"),
        ((20.0, 30.0, 10.0, math.nan), "2"),
        ((20.0, 30.0, math.nan, math.nan), None),
    ],
)
def test_the_cost_of_an_epoch_is_compared_seed_by_seed(
    folder: Folder, seconds: tuple[float, ...], times: str | None
) -> None:
    for run, value in zip((A7, A8, B7, B8), seconds, strict=True):
        folder.evaluate(run, epoch_seconds=value)
    notes = build(_study(), folder.results).attrs["notes"]
    cost = f"An epoch of NSGD took {times} times as long as one of SGD, by median wall time (the paper: 2-3 times)."
    assert notes[1:] == ([cost] if times else [])


def test_the_cost_is_relative_to_sgd_with_the_same_settings(folder: Folder) -> None:
    """Another learning rate is no reference, nor is a diverged run."""
    other = "r32-c10-sgd-lr0.01-S128-plat-s777"
    both = "r32-c10-nsgd-lr0.1-S128-m0.9-g0.1-K5-correct_both-plat-s777"
    momentum = "r32-c10-sgd-lr0.1-S128-m0.9-plat-s777"

    def notes(**options: dict[str, Any]) -> list[str]:
        for run, values in options.items():
            folder.evaluate(run, **values)
        rows = tuple({"label": run, "runs": (run,), "paper": {}} for run in options)
        return build(_study(rows=rows), folder.results).attrs["notes"][1:]

    assert notes(**{A7: {"epoch_seconds": 20.0}, other: {"epoch_seconds": 1.0}}) == []
    assert notes(**{A7: {"epoch_seconds": 20.0}, B7: {"epoch_seconds": 1.0, "diverged": 2.0}}) == []
    (cost,) = notes(**{both: {"epoch_seconds": 30.0}, momentum: {"epoch_seconds": 10.0}})
    assert "took 3 times" in cost


def test_the_early_epoch_is_that_of_the_files(folder: Folder) -> None:
    for run in (A7, A8, B7, B8):
        folder.evaluate(run, early_epoch=10)
    assert "Val. acc. (10) (%)" in markdown(_study(), build(_study(), folder.results), "")
    folder.evaluate(B8, early_epoch=50)
    assert "Val. acc. (10/50) (%)" in markdown(_study(), build(_study(), folder.results), "")


def test_latex_escapes_and_is_balanced(evaluated: Folder) -> None:
    text = latex(_study(), build(_study(), evaluated.results), "50 % & #1_x {a} ~ ^ \\ $")
    assert r"\caption{ResNet\_32 at 100 \%}" in text
    assert r"50 \% \& \#1\_x \{a\} \textasciitilde{} \textasciicircum{} \textbackslash{} \$" in text
    stacked = r"\begin{tabular}[t]{@{}r@{}}105 $\pm$ 7 / \\ 210 $\pm$ 14 \\ (paper 272 / –)\end{tabular}"
    assert rf"$\gamma$ = 0.1 & {stacked} & " in text
    unescaped = text.replace(r"\{", "").replace(r"\}", "")
    assert unescaped.count("{") == unescaped.count("}")
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    assert [line.count(" & ") for line in body.splitlines() if line.endswith(r"\\")] == [7, 7, 7]
    assert all(character.isascii() or character in "–" for character in text)
    # the count alone is in the column
    assert r"SGD(0.1): seed 778 diverged at epoch 3.25.\par" in text


@pytest.mark.skipif(LATEX is None, reason="no pdflatex on the path; Debian: texlive-latex-recommended")
def test_latex_makes_a_page(evaluated: Folder, tmp_path: Path) -> None:
    """In a document that loads booktabs and graphicx, with letters of at least six points in the text width."""
    study = _study("spectral_norm", "frobenius", "frobenius_probe", "test_acc", "val_acc_early", "loss_final", "dist")
    table = latex(study, build(study, evaluated.results), "50 % & #1_x {a} ~ ^ \\ $ ± × α γ η λ θ – é")
    packages = r"\usepackage{booktabs}\usepackage{graphicx}"
    document = rf"\documentclass[11pt,a4paper]{{article}}{packages}\begin{{document}}{table}\end{{document}}"
    (tmp_path / "table.tex").write_text(document)
    command = [str(LATEX), "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "table.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stdout[-2000:]
    assert "Output written on table.pdf (1 page" in made.stdout
    assert "Overfull" not in made.stdout
    assert "Missing character" not in made.stdout


def test_a_printed_value_without_its_column_is_refused() -> None:
    rows = ({"label": "γ = 0.1", "runs": (A7,), "paper": {"spectral_norm_best": 5.91}},)
    with pytest.raises(ValidationError, match=r"row γ = 0.1: paper should have keys among .*spectral_norm_best"):
        _study(rows=rows)
    assert _study("spectral_norm", rows=rows).rows[0].paper == {"spectral_norm_best": 5.91}


def test_a_scale_may_use_fewer_seeds() -> None:
    assert _study().with_first_seeds(1).runs() == [A7, B7]
    assert _study().with_first_seeds(3).runs() == [A7, A8, B7, B8]
