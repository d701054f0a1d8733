"""End points of runs, mean and spread over seeds, beside the paper's numbers (Tables 1-7)."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sharpest.config.run_id import RunId
from sharpest.config.studies.end_points import END_POINT_COLUMNS, EndPointRow, EndPoints
from sharpest.measures.evaluations import EVALUATION
from sharpest.results.file import open_stored

# unit in print: per cent for accuracies, which are fractions everywhere else
_TITLES = {
    "spectral_norm": "Spectral norm of H, best / final",
    "frobenius": "Frobenius norm of H, best / final",
    "frobenius_probe": "The same from probes, best / final",
    "test_acc": "Test acc. (%)",
    "val_acc_early": "Val. acc. ({early_epoch}) (%)",
    "loss_final": "Loss",
    "dist": "Dist.",
}
_PER_CENT = {"test_acc", "val_acc_early"}

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "±": r"$\pm$",
        "×": r"$\times$",
        "α": r"$\alpha$",
        "γ": r"$\gamma$",
        "η": r"$\eta$",
        "λ": r"$\lambda$",
        "θ": r"$\theta$",
    }
)


@dataclass(frozen=True)
class _Evaluated:
    """One run.

    Attributes:
        numbers: By column of the csv file.
        diverged_epoch: None where it did not.
        facts: Attributes of its file.
        num_eigenvalues, num_missed: Behind its norms; those above the solver's tolerance.
        probe_error: Standard error of its probed norms in parts of them, the larger one.
    """

    numbers: Mapping[str, float]
    diverged_epoch: float | None
    facts: Mapping[str, Any]
    num_eigenvalues: int
    num_missed: int
    probe_error: float


def build(study: EndPoints, evaluations: Mapping[str, Path]) -> pd.DataFrame:
    """Gather the numbers of a table.

    Args:
        study: Rows and their runs.
        evaluations: Evaluation file of each run of the study.

    Returns:
        Long, with columns row, column, value (mean over seeds), spread (their sample standard deviation, NaN for one
        seed), seeds (how many are in the mean), paper (NaN where it prints none). Accuracies are fractions. Runs that
        diverged are left out. For print, ``attrs`` has ``early_epoch``; ``seeds``, a text by row, which names runs that
        diverged; and ``notes``, what to say below the table.

    Source: Tables 1-7; inventory 1.7 and section 3.
    """
    runs = {run: _read(path) for run, path in evaluations.items()}
    names = [name for column in study.columns for name in END_POINT_COLUMNS[column]]
    records = []
    for row in study.rows:
        kept = [runs[run].numbers for run in row.runs if runs[run].diverged_epoch is None]
        for name in names:
            values = np.array([numbers[name] for numbers in kept], dtype=float)
            values = values[~np.isnan(values)]
            records.append(
                {
                    "row": row.label,
                    "column": name,
                    "value": values.mean() if len(values) else math.nan,
                    "spread": values.std(ddof=1) if len(values) > 1 else math.nan,
                    "seeds": len(values),
                    "paper": row.paper.get(name, math.nan),
                }
            )
    table = pd.DataFrame(records)
    finished = {run: one for run, one in runs.items() if one.diverged_epoch is None}
    early_epochs = sorted({one.facts["early_epoch"] for one in runs.values()})
    table.attrs = {
        "early_epoch": "/".join(map(str, early_epochs)),
        "seeds": {row.label: _seeds(row, runs) for row in study.rows},
        "notes": [*_measured(study, finished), *_missed(finished), *_cost(finished)],
    }
    return table


def _read(path: Path) -> _Evaluated:
    best, last = 0, 1
    with open_stored(path, EVALUATION) as file:
        numbers = {
            f"{norm}_{at}": float(file[norm][row])
            for norm in ("spectral_norm", "frobenius", "frobenius_probe")
            for at, row in (("best", best), ("final", last))
        }
        numbers |= {
            "test_acc": float(file["test_accuracy"][best]),
            "val_acc_early": file.attributes["val_accuracy_early"],
            "loss_final": float(file["train_loss"][last]),
            "dist": float(file["distance"][best]),
        }
        return _Evaluated(
            numbers=numbers,
            diverged_epoch=file.attributes["diverged_epoch"],
            facts=file.attributes,
            num_eigenvalues=file["eigenvalues"].shape[1],
            num_missed=int((~file["converged"]).sum()),
            probe_error=float(np.max(file["frobenius_probe_error"] / file["frobenius_probe"])),
        )


def _seeds(row: EndPointRow, runs: Mapping[str, _Evaluated]) -> str:
    """How many runs are in the means of a row, and which are not."""
    diverged = {run: runs[run].diverged_epoch for run in row.runs if runs[run].diverged_epoch is not None}
    count = str(len(row.runs) - len(diverged)) if len(diverged) < len(row.runs) else "none"
    return "; ".join(
        [count, *(f"seed {RunId.parse(run).seed} diverged at epoch {epoch:.3g}" for run, epoch in diverged.items())]
    )


def _measured(study: EndPoints, finished: Mapping[str, _Evaluated]) -> Iterable[str]:
    """How the norms were measured."""
    if not finished:
        return
    one = next(iter(finished.values()))
    examples, tracked, probes = one.facts["examples"], one.num_eigenvalues, one.facts["num_probes"]
    parts = [f"Norms of H on {examples:,} training examples: Frobenius from the {tracked} largest eigenvalues"]
    if "spectral_norm" in study.columns:
        parts.append("spectral, the largest magnitude of an eigenvalue")
    if "frobenius_probe" in study.columns:
        error = max(one.probe_error for one in finished.values())
        parts.append(
            f"from probes, over all eigenvalues by Hutchinson++ with {probes} products "
            f"(standard error at most {100 * error:.2g} %)"
        )
    yield "; ".join(parts) + "."


def _missed(finished: Mapping[str, _Evaluated]) -> Iterable[str]:
    """How many eigenvalues the solver gave up on."""
    missed = sum(one.num_missed for one in finished.values())
    if missed:
        total = sum(2 * one.num_eigenvalues for one in finished.values())
        yield f"Residual above the solver's tolerance: {missed:,} of {total:,} eigenvalues."


def _cost(finished: Mapping[str, _Evaluated]) -> Iterable[str]:
    """How long an epoch of NSGD takes, against SGD, which is gamma = 1, with all other settings alike."""
    ratios = []
    for run, one in finished.items():
        parts = RunId.parse(run)
        sgd = finished.get(str(replace(parts, optimizer="sgd", gamma=1.0, num_directions=0, correction="v")))
        if parts.optimizer == "nsgd" and sgd is not None:
            ratios.append(one.facts["epoch_seconds"] / sgd.facts["epoch_seconds"])
    ratios = [ratio for ratio in ratios if math.isfinite(ratio)]
    if ratios:
        shortest, longest = f"{min(ratios):.2g}", f"{max(ratios):.2g}"
        times = shortest if shortest == longest else f"{shortest} to {longest}"
        yield f"An epoch of NSGD took {times} times as long as one of SGD, by median wall time (the paper: 2-3 times)."


def markdown(study: EndPoints, table: pd.DataFrame, foot: str) -> str:
    """Print a table of :func:`build` as Markdown, with caption above, and notes and foot below."""
    header, *rows = _printed(study, table)
    lines = [_markdown_row(header), _markdown_row(["---", *["---:"] * (len(header) - 1)]), *map(_markdown_row, rows)]
    return "\n\n".join([study.caption, "\n".join(lines), *_below(table, foot)]) + "\n"


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def latex(study: EndPoints, table: pd.DataFrame, foot: str) -> str:
    """Print a table of :func:`build` as a LaTeX table; the document needs the packages booktabs and graphicx."""
    header, *rows = _printed(study, table)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escape(study.caption)}}}",
            r"\resizebox{\linewidth}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            _latex_row(header),
            r"\midrule",
            *map(_latex_row, rows),
            r"\bottomrule",
            r"\end{tabular}}",
            "",
            r"\smallskip",
            r"{\footnotesize\raggedright",
            *[_escape(paragraph) + r"\par" for paragraph in _below(table, foot)],
            "}",
            r"\end{table}",
            "",
        ]
    )


def _latex_row(cells: list[str]) -> str:
    return " & ".join(map(_escape, cells)) + r" \\"


def _escape(text: str) -> str:
    return text.translate(_LATEX)


def _below(table: pd.DataFrame, foot: str) -> list[str]:
    """Paragraphs under the table."""
    spread = "Mean ± sample standard deviation over seeds; the paper's number in brackets."
    return [spread, *table.attrs["notes"], *([foot] if foot else [])]


def _printed(study: EndPoints, table: pd.DataFrame) -> list[list[str]]:
    """Header and rows as text."""
    titles = [_TITLES[column].format(early_epoch=table.attrs["early_epoch"]) for column in study.columns]
    rows = [["", *titles, "Seeds"]]
    for label, group in table.groupby("row", sort=False):
        numbers = group.set_index("column")
        cells = [_cell(numbers.loc[list(END_POINT_COLUMNS[column])], column in _PER_CENT) for column in study.columns]
        rows.append([str(label), *cells, table.attrs["seeds"][label]])
    return rows


def _cell(numbers: pd.DataFrame, per_cent: bool) -> str:
    """``272 ± 12 / 324 ± 9 (paper 272 / 324)``: one number or two, with columns value, spread and paper."""
    factor = 100 if per_cent else 1
    ours = [_number(*pair) for pair in factor * numbers[["value", "spread"]].to_numpy()]
    paper = [_as_printed(factor * value, per_cent) for value in numbers["paper"]]
    printed = "" if numbers["paper"].isna().all() else f" (paper {' / '.join(paper)})"
    return " / ".join(ours) + printed


def _number(value: float, spread: float) -> str:
    """Three digits of the mean; a missing number is a dash, a missing spread nothing."""
    if math.isnan(value):
        return "–"
    decimals = 0 if value == 0 or not math.isfinite(value) else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}" + ("" if math.isnan(spread) else f" ± {spread:.{decimals}f}")


def _as_printed(value: float, per_cent: bool) -> str:
    """The paper's digits, whose per cents have a decimal; a missing number is a dash."""
    # ten decimals hide that 100 * 0.873 is not quite 87.3
    return "–" if math.isnan(value) else np.format_float_positional(round(value, 10), trim="0" if per_cent else "-")
