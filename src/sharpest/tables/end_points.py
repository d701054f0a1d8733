"""End points of runs: mean and spread over seeds, compared with the paper's numbers (Tables 1-7)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from sharpest import grids
from sharpest.config.run_id import RunId
from sharpest.config.studies import END_POINT_COLUMNS, EndPointRow, EndPoints, mean_of
from sharpest.measures.evaluations import Evaluations, accuracy_at, median_seconds
from sharpest.results.runs import Results, RunResults

_ESCAPES = str.maketrans(
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
_TITLE_WIDTH = 14  # letters of a line
# no type smaller than footnotesize unless the table is wider than the text
_IF_TOO_WIDE = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def latex_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A floating table, whose document needs the packages booktabs and graphicx.

    Args:
        caption: Above it.
        header: A title for each column; long ones are broken.
        rows: The first cell names the row; a line feed in a cell is kept.
        notes: Paragraphs below it.
    """
    titles = ["\n".join(textwrap.wrap(title, _TITLE_WIDTH)) for title in header]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escape(caption)}}}",
            r"\smallskip",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{3pt}",
            _IF_TOO_WIDE,
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            _row(titles, "b"),
            r"\midrule",
            "\n\\addlinespace[2pt]\n".join(_row(cells, "t") for cells in rows),
            r"\bottomrule",
            r"\end{tabular}}",
            "",
            r"\smallskip",
            r"{\raggedright",
            *[_escape(note) + r"\par" for note in notes],
            "}",
            r"\end{table}",
            "",
        ]
    )


def _row(cells: Sequence[str], at: str) -> str:
    """Cells side by side, whose first (``t``) or last (``b``) lines are level."""
    return " & ".join(_cell(cell.split("\n"), at) for cell in cells) + r" \\"


def _cell(lines: list[str], at: str) -> str:
    stacked = r" \\ ".join(map(_escape, lines))
    return rf"\begin{{tabular}}[{at}]{{@{{}}r@{{}}}}{stacked}\end{{tabular}}" if len(lines) > 1 else stacked


def _escape(text: str) -> str:
    return text.translate(_ESCAPES)


# accuracies are printed in per cent; everywhere else they are fractions
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


@dataclass(frozen=True)
class _Run:
    """One run.

    Attributes:
        numbers: Column of the csv file -> number.
        evaluated: End points of the run.
        epoch_seconds: Median wall time of an epoch.
    """

    numbers: Mapping[str, float]
    evaluated: Evaluations
    epoch_seconds: float

    @property
    def num_eigenvalues(self) -> int:
        """Number of eigenvalues in the norms."""
        return int(self.evaluated["eigenvalues"].shape[1])

    @property
    def probe_error(self) -> float:
        """Relative standard error of the probed norms; the largest."""
        return float(np.max(self.evaluated["frobenius_probe_error"] / self.evaluated["frobenius_probe"]))


def build(study: EndPoints, results: Results) -> pd.DataFrame:
    """Gather the numbers of a table.

    Args:
        study: Rows and their runs.
        results: The results of the scale.

    Returns:
        A long table with columns row, column, run, value, spread (sample standard deviation over seeds, NaN for one
        seed), seeds (number of seeds in the mean) and paper (NaN if the paper prints no number). Accuracies are
        fractions. With several seeds, the mean comes first, with run ``mean of 777, 778``, then each seed without the
        paper's number. Diverged runs have no value and are in no mean. For printing, ``attrs`` has ``early_epoch``;
        ``seeds``, row -> a text that names diverged runs; and ``notes``, paragraphs to print below the table.

    Source: Tables 1-7; inventory 1.7 and section 3.
    """
    runs = {run: _read(results[run], study.ends) for run in study.runs()}
    names = [name for column in study.columns for name in END_POINT_COLUMNS[column]]
    records = [record for row in study.rows for name in names for record in _records(row, name, runs)]
    table = pd.DataFrame(records)
    finished = {name: run for name, run in runs.items() if run.evaluated.diverged is None}
    early_epochs = sorted({run.evaluated.early_epoch for run in runs.values()})
    table.attrs = {
        "early_epoch": "/".join(map(str, early_epochs)),
        "seeds": {row.label: _seeds(row, runs) for row in study.rows},
        "notes": [*_measured(study, finished), *_missed(finished), *_cost(finished)],
    }
    return table


def _records(row: EndPointRow, name: str, runs: Mapping[str, _Run]) -> list[dict[str, Any]]:
    """One number of a row: the mean over its seeds, then, if there are several, the number of each."""
    by_run = {
        run: math.nan if runs[run].evaluated.diverged is not None else runs[run].numbers[name] for run in row.runs
    }
    kept = {RunId.parse(run).seed: value for run, value in by_run.items() if not math.isnan(value)}
    values = np.array(list(kept.values()))
    several = len(by_run) > 1
    mean = {
        "row": row.label,
        "column": name,
        "run": mean_of(kept) if several else row.runs[0],
        "value": values.mean() if len(values) else math.nan,
        "spread": values.std(ddof=1) if len(values) > 1 else math.nan,
        "seeds": len(values),
        "paper": row.paper.get(name, math.nan),
    }
    single = {"spread": math.nan, "paper": math.nan}
    seeds = [{"run": run, "value": value, "seeds": int(not math.isnan(value))} for run, value in by_run.items()]
    return [mean, *({**mean, **single, **seed} for seed in seeds if several)]


def _read(run: RunResults, schedule: str) -> _Run:
    evaluated = run.read(Evaluations, schedule)
    numbers = {
        f"{norm}_{at}": read(norm)
        for norm in ("spectral_norm", "frobenius", "frobenius_probe")
        for at, read in (("best", evaluated.best), ("final", evaluated.last))
    }
    numbers |= {
        "test_acc": evaluated.best("test_accuracy"),
        "val_acc_early": accuracy_at(run.history, evaluated.early_epoch),
        "loss_final": evaluated.last("train_loss"),
        "dist": evaluated.best("distance"),
    }
    return _Run(numbers, evaluated, median_seconds(run.snapshots))


def _seeds(row: EndPointRow, runs: Mapping[str, _Run]) -> str:
    """The number of runs in the means of a row, and the diverged runs."""
    diverged = {run: runs[run].evaluated.divergence for run in row.runs if runs[run].evaluated.divergence}
    count = str(len(row.runs) - len(diverged)) if len(diverged) < len(row.runs) else "none"
    return "; ".join([count, *(f"seed {RunId.parse(run).seed} {text}" for run, text in diverged.items())])


def _measured(study: EndPoints, finished: Mapping[str, _Run]) -> Iterable[str]:
    """How the norms were measured."""
    if not finished:
        return
    first = next(iter(finished.values()))
    examples, probes = first.evaluated.num_examples, first.evaluated.settings["num_probes"]
    parts = [
        f"Norms of H on {examples:,} training examples: Frobenius from the {first.num_eigenvalues} largest eigenvalues"
    ]
    if "spectral_norm" in study.columns:
        parts.append("spectral, the largest magnitude of an eigenvalue")
    if "frobenius_probe" in study.columns:
        error = max(run.probe_error for run in finished.values())
        parts.append(
            f"from probes, over all eigenvalues by Hutchinson++ with {probes} products "
            f"(standard error at most {100 * error:.2g} %)"
        )
    yield "; ".join(parts) + "."


def _missed(finished: Mapping[str, _Run]) -> Iterable[str]:
    """The number of eigenvalues that missed the solver's tolerance."""
    missed = sum(run.evaluated.num_missed for run in finished.values())
    if missed:
        total = sum(2 * run.num_eigenvalues for run in finished.values())
        yield f"Residual above the solver's tolerance: {missed:,} of {total:,} eigenvalues."


def _cost(finished: Mapping[str, _Run]) -> Iterable[str]:
    """How long an epoch of NSGD takes compared with one of SGD (gamma = 1) with otherwise equal settings."""
    ratios = []
    for name, run in finished.items():
        parts = RunId.parse(name)
        sgd = finished.get(str(replace(parts, optimizer="sgd", gamma=1.0, num_directions=0, correction="v")))
        if parts.optimizer == "nsgd" and sgd is not None:
            ratios.append(run.epoch_seconds / sgd.epoch_seconds)
    ratios = [ratio for ratio in ratios if math.isfinite(ratio)]
    if ratios:
        shortest, longest = f"{min(ratios):.2g}", f"{max(ratios):.2g}"
        times = shortest if shortest == longest else f"{shortest} to {longest}"
        yield f"An epoch of NSGD took {times} times as long as one of SGD, by median wall time (the paper: 2-3 times)."


def markdown(study: EndPoints, table: pd.DataFrame, foot: str) -> str:
    """Print a table of ``build`` as Markdown, with the caption above and notes and foot below."""
    header, *rows = _printed(study, table)
    grid = grids.markdown(header, rows, numbers=range(1, len(header)))
    return "\n\n".join([study.caption, grid, *_below(table, foot)]) + "\n"


def latex(study: EndPoints, table: pd.DataFrame, foot: str) -> str:
    """Print a table of ``build`` as a LaTeX table; the document needs the packages booktabs and graphicx."""
    header, *rows = _printed(study, table)
    # runs that diverged would widen the last column to half of the page
    diverged = {label: lost for label, *_, seeds in rows if (lost := seeds.partition("; ")[2])}
    rows = [[*cells, seeds.partition("; ")[0]] for *cells, seeds in rows]
    notes = [f"{label}: {lost}." for label, lost in diverged.items()]
    spread, *rest = _below(table, foot)
    return latex_table(study.caption, header, rows, [spread, *notes, *rest])


def _below(table: pd.DataFrame, foot: str) -> list[str]:
    """Paragraphs under the table."""
    spread = "Mean ± sample standard deviation over seeds; the paper's number in brackets."
    return [spread, *table.attrs["notes"], *([foot] if foot else [])]


def _printed(study: EndPoints, table: pd.DataFrame) -> list[list[str]]:
    """Header and rows as text."""
    titles = [_TITLES[column].format(early_epoch=table.attrs["early_epoch"]) for column in study.columns]
    rows = [["", *titles, "Seeds"]]
    means = table.drop_duplicates(["row", "column"])  # the first, before the single seeds
    for label, group in means.groupby("row", sort=False):
        numbers = group.set_index("column")
        cells = [
            _printed_cell(numbers.loc[list(END_POINT_COLUMNS[column])], column in _PER_CENT) for column in study.columns
        ]
        rows.append([str(label), *cells, table.attrs["seeds"][label]])
    return rows


def _printed_cell(numbers: pd.DataFrame, per_cent: bool) -> str:
    """Print one or two numbers (columns value, spread, paper), as in ``272 ± 12 / 324 ± 9 (paper 272 / 324)``.

    A line feed marks where a cell may break.
    """
    factor = 100 if per_cent else 1
    ours = [_number(*pair) for pair in factor * numbers[["value", "spread"]].to_numpy()]
    paper = [_as_printed(factor * value, per_cent) for value in numbers["paper"]]
    printed = "" if numbers["paper"].isna().all() else f"\n(paper {' / '.join(paper)})"
    return " /\n".join(ours) + printed


def _number(value: float, spread: float) -> str:
    """Three digits of the mean; a missing number is printed as a dash, a missing spread is omitted."""
    if math.isnan(value):
        return "–"
    decimals = 0 if value == 0 or not math.isfinite(value) else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}" + ("" if math.isnan(spread) else f" ± {spread:.{decimals}f}")


def _as_printed(value: float, per_cent: bool) -> str:
    """The paper's digits, with one decimal for per cents; a missing number is a dash."""
    # rounding to ten decimals turns 100 * 0.873 into 87.3
    return "–" if math.isnan(value) else np.format_float_positional(round(value, 10), trim="0" if per_cent else "-")
