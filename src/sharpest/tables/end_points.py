"""End points of runs, mean and spread over seeds, beside the paper's numbers (Table 1)."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from sharpest.config.studies import EndPoints
from sharpest.store.evaluation import EVALUATION
from sharpest.store.file import StoredFile, open_stored

# unit in print: per cent for accuracies, which are fractions everywhere else
_COLUMNS = {
    "frobenius_best": "Norm of H, best",
    "frobenius_final": "Norm of H, final",
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


def build(study: EndPoints, evaluations: dict[str, Path], foot: str) -> pd.DataFrame:
    """Gather the numbers of a table.

    Args:
        study: Rows and their runs.
        evaluations: Evaluation file of each run of the study.
        foot: What was replaced or reduced; it goes with the numbers, as ``attrs["foot"]``.

    Returns:
        Long, with columns row, column, value (mean over seeds), spread (their sample standard deviation, NaN for one
        seed), seeds (how many are in the mean), paper (NaN where it prints none). Accuracies are fractions. Runs that
        diverged are left out and named in ``attrs["notes"]``; ``attrs["early_epoch"]`` is the epoch of val_acc_early.

    Source: Table 1; inventory 1.7.
    """
    records, notes, early_epoch = [], [], 0
    for row in study.rows:
        kept: list[dict[str, float]] = []
        for run in row.runs:
            with open_stored(evaluations[run], EVALUATION) as evaluation:
                early_epoch = evaluation.attributes["early_epoch"]
                diverged = evaluation.attributes["diverged"]
                if diverged == -1:
                    kept.append(_numbers(evaluation))
                else:
                    notes.append(f"{run} diverged at iteration {diverged} and is not in the mean.")
        for column in _COLUMNS:
            values = np.array([numbers[column] for numbers in kept], dtype=float)
            values = values[~np.isnan(values)]
            records.append(
                {
                    "row": row.label,
                    "column": column,
                    "value": values.mean() if len(values) else math.nan,
                    "spread": values.std(ddof=1) if len(values) > 1 else math.nan,
                    "seeds": len(values),
                    "paper": row.paper.get(column, math.nan),
                }
            )
    table = pd.DataFrame(records)
    table.attrs = {"early_epoch": early_epoch, "notes": notes, "foot": foot}
    return table


def _numbers(evaluation: StoredFile) -> dict[str, float]:
    """The columns of one run; end point 0 is the best snapshot, 1 the last."""
    best, last = 0, 1
    return {
        "frobenius_best": evaluation["frobenius"][best],
        "frobenius_final": evaluation["frobenius"][last],
        "test_acc": evaluation["test_accuracy"][best],
        "val_acc_early": evaluation.attributes["val_accuracy_early"],
        "loss_final": evaluation["train_loss"][last],
        "dist": evaluation["distance"][best],
    }


def markdown(study: EndPoints, table: pd.DataFrame, foot: str) -> str:
    """Print a table of :func:`build` as Markdown, with caption above, and notes and foot below."""
    header, *rows = _printed(table)
    lines = [_markdown_row(header), _markdown_row(["---", *["---:"] * (len(header) - 1)]), *map(_markdown_row, rows)]
    return "\n\n".join([study.caption, "\n".join(lines), *_below(table, foot)]) + "\n"


def _markdown_row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def latex(study: EndPoints, table: pd.DataFrame, foot: str) -> str:
    """Print a table of :func:`build` as a LaTeX table; the document needs the packages booktabs and graphicx."""
    header, *rows = _printed(table)
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


def _printed(table: pd.DataFrame) -> list[list[str]]:
    """Header and rows as text."""
    titles = [title.format(early_epoch=table.attrs["early_epoch"]) for title in _COLUMNS.values()]
    rows = [["", *titles, "Seeds"]]
    for label, group in table.groupby("row", sort=False):
        cells = [
            _cell(*cell) for cell in zip(*(group[name] for name in ("column", "value", "spread", "paper")), strict=True)
        ]
        rows.append([str(label), *cells, str(group["seeds"].max())])
    return rows


def _cell(column: str, value: float, spread: float, paper: float) -> str:
    """``272 ± 12 (paper 272)``, to three digits of the mean; a missing number is a dash, a missing spread nothing."""
    factor = 100 if column in _PER_CENT else 1
    decimals = 0 if value == 0 or not math.isfinite(value) else max(0, 2 - math.floor(math.log10(abs(factor * value))))
    text = "–" if math.isnan(value) else f"{factor * value:.{decimals}f}"
    if not math.isnan(spread):
        text += f" ± {factor * spread:.{decimals}f}"
    # ten digits hide that 100 * 0.873 is not quite 87.3
    return text if math.isnan(paper) else f"{text} (paper {factor * paper:.10g})"
