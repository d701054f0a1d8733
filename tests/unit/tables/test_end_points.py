"""The table against numbers worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from sharpest.config.studies import EndPointRow, EndPoints
from sharpest.store.evaluation import EVALUATION
from sharpest.store.file import write_stored
from sharpest.tables.end_points import build, latex, markdown

STUDY = EndPoints(
    kind="end_points",
    caption="ResNet_32 at 100 %",
    rows=(
        EndPointRow(label="γ = 0.1", runs=("a-s777", "a-s778"), paper={"frobenius_best": 272, "test_acc": 0.873}),
        EndPointRow(label="SGD(0.1)", runs=("b-s777", "b-s778"), paper={"loss_final": 0.0094}),
    ),
)


def _write(path: Path, scale: float, diverged: int = -1, val_accuracy_early: float = 0.5) -> Path:
    arrays = {
        "iteration": [5, 9],
        "epoch": [5, 9],
        "eigenvalues": np.ones((2, 3)),
        "residuals": np.zeros((2, 3)),
        "converged": np.ones((2, 3), dtype=bool),
        "frobenius": [100 * scale, 200 * scale],
        "test_accuracy": [0.8 * scale, 0.1],
        "train_loss": [9, 0.01 * scale],
        "distance": [20 * scale, 99],
    }
    attributes = dict.fromkeys(EVALUATION.attributes, "synthetic") | {
        "early_epoch": 50,
        "val_accuracy_early": val_accuracy_early,
        "diverged": diverged,
    }
    write_stored(path, EVALUATION, arrays, attributes)
    return path


@pytest.fixture
def evaluations(tmp_path: Path) -> dict[str, Path]:
    return {
        "a-s777": _write(tmp_path / "a7.h5", 1.0),
        "a-s778": _write(tmp_path / "a8.h5", 1.1),
        "b-s777": _write(tmp_path / "b7.h5", 1.0, val_accuracy_early=math.nan),
        "b-s778": _write(tmp_path / "b8.h5", 1.1, diverged=37),
    }


def test_values_are_means_and_sample_deviations_over_seeds(evaluations: dict[str, Path]) -> None:
    table = build(STUDY, evaluations, "")
    assert list(table.columns) == ["row", "column", "value", "spread", "seeds", "paper"]
    first = table[table["row"] == "γ = 0.1"].set_index("column")
    assert first["value"].to_dict() == pytest.approx(
        {
            "frobenius_best": 105,
            "frobenius_final": 210,
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


def test_a_diverged_run_is_named_and_kept_out(evaluations: dict[str, Path]) -> None:
    table = build(STUDY, evaluations, "")
    second = table[table["row"] == "SGD(0.1)"].set_index("column")
    assert second.loc["dist", "value"] == 20
    assert math.isnan(second.loc["dist", "spread"])
    assert second.loc["dist", "seeds"] == 1
    assert (second.loc["val_acc_early", "seeds"], math.isnan(second.loc["val_acc_early", "value"])) == (0, True)
    assert table.attrs["notes"] == ["b-s778 diverged at iteration 37 and is not in the mean."]


def test_markdown(evaluations: dict[str, Path]) -> None:
    caption, body, *below = markdown(STUDY, build(STUDY, evaluations, ""), "digits | small").rstrip().split("\n\n")
    assert caption == STUDY.caption
    header, rule, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]
    assert header[4] == "Val. acc. (50) (%)"
    assert len(header) == len(rule) == 8
    assert rows == [
        ["γ = 0.1", "105 ± 7 (paper 272)", "210 ± 14", "84.0 ± 5.7 (paper 87.3)", "50.0 ± 0.0", "0.0105 ± 0.0007",
         "21.0 ± 1.4", "2"],
        ["SGD(0.1)", "100", "200", "80.0", "–", "0.0100 (paper 0.0094)", "20.0", "1"],
    ]  # fmt: skip
    assert below[1:] == ["b-s778 diverged at iteration 37 and is not in the mean.", "digits | small"]


def test_latex_escapes_and_is_balanced(evaluations: dict[str, Path]) -> None:
    text = latex(STUDY, build(STUDY, evaluations, ""), "50 % & #1_x {a} ~ ^ \\ $")
    assert r"\caption{ResNet\_32 at 100 \%}" in text
    assert r"50 \% \& \#1\_x \{a\} \textasciitilde{} \textasciicircum{} \textbackslash{} \$" in text
    assert r"$\gamma$ = 0.1 & 105 $\pm$ 7 (paper 272) & " in text
    unescaped = text.replace(r"\{", "").replace(r"\}", "")
    assert unescaped.count("{") == unescaped.count("}")
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    assert [line.count(" & ") for line in body.splitlines() if line.endswith(r"\\")] == [7, 7, 7]
    assert all(character.isascii() or character in "–" for character in text)
