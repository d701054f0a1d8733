"""A table for a paper: booktabs, cells of several lines, notes below."""

import textwrap
from collections.abc import Sequence

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
