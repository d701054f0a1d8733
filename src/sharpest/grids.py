"""Tables as text: Markdown, and aligned columns for the terminal."""

from collections.abc import Collection, Sequence

Cells = Sequence[str]


def markdown(header: Cells, rows: Sequence[Cells], numbers: Collection[int] = ()) -> str:
    """A table in Markdown; a line feed in a cell becomes a space.

    Args:
        header: Heading of each column.
        rows: Rows, with a text for each column.
        numbers: Indices of the right-aligned columns.
    """
    rule = ["---:" if column in numbers else "---" for column in range(len(header))]
    return "\n".join(map(markdown_row, (header, rule, *rows)))


def markdown_row(cells: Cells) -> str:
    """One row of such a table."""
    return f"| {' | '.join(cell.replace(chr(10), ' ').replace('|', chr(92) + '|') for cell in cells)} |"


def aligned(header: Cells, rows: Sequence[Cells], numbers: Collection[int] = ()) -> str:
    """A table with aligned columns; the arguments are those of ``markdown``."""
    cells = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in numbers else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )
