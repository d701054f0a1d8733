"""The structure of the paper: its sections, and display names of its items."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A section of the paper.

    Attributes:
        title: Its number and topic, in our words.
        items: Its figures, tables and parts of the text, by their names in the ledger.
    """

    title: str
    items: tuple[str, ...]


SECTIONS = (
    Section("1 · Introduction", ("fig1",)),
    Section("2 · Setup", ("sec2",)),
    Section("3.1 · Largest eigenvalues along training", ("fig2", "fig3", "fig4")),
    Section("3.2 · The sharpest directions and the SGD step", ("fig5", "fig6", "sec3.2")),
    Section("3.3 · Steering by the sharpest direction", ("fig7",)),
    Section("4 · Nudged SGD", ("fig8", "tab1", "tab2", "sec4")),
    Section("A · More on the largest eigenvalues", ("fig9", "fig10", "fig11", "fig12", "fig13")),
    Section("B · More on the sharpest directions", ("fig14", "fig15", "fig16", "fig17", "fig18")),
    Section("C · More on Nudged SGD", ("fig19", "tab3", "tab4", "tab5", "tab6")),
    Section("E · Nudged SGD and Newton's step", ("fig20", "secE")),
    Section("F · Sentiment analysis on IMDB", ("fig21", "fig22", "tab7")),
)
"""The sections in the order of the paper; appendices by letter."""

CENTRAL = "sec3.2.alpha1."
"""Prefix of the ids of claims on the paper's central sentence: SGD's own step along e_1 would raise the loss."""

FIGURE = "fig"
"""Prefix of the names of the paper's figures."""
_NAMES = ((FIGURE, "Figure"), ("tab", "Table"), ("sec", "Section"))
_OF_PAPER = re.compile(r"(?:fig|tab)\w+|sec(?:\d+(?:\.\d+)*|[A-Z])")

MEASURES = {
    "spectral_norm_best": "Spectral norm, best",
    "spectral_norm_final": "Spectral norm, final",
    "frobenius_best": "Frobenius norm, best",
    "frobenius_final": "Frobenius norm, final",
    "frobenius_probe_best": "Probed norm, best",
    "frobenius_probe_final": "Probed norm, final",
    "test_acc": "Test accuracy, %",
    "val_acc_early": "Early validation accuracy, %",
    "loss_final": "Final loss",
    "dist": "Distance",
}
"""Column of a table's csv file -> its heading."""
ACCURACIES = ("test_acc", "val_acc_early")
"""Columns that are fractions in files and per cent in print."""


def title_of_paper(key: str) -> str:
    """The display name of a later paper: ``Andreyev 2024`` for ``andreyev2024``."""
    return re.sub(r"(?<=[a-z])(?=\d)", " ", key).capitalize()


def item_of(study: str) -> str:
    """The name of a figure or table in the ledger: ``fig6`` for ``fig06``."""
    return re.sub(r"^(fig|tab)0+(?=\d)", r"\1", study)


def title_of(item: str) -> str:
    """The display name of an item: ``Figure 6``, ``Section 3.2``, ``Appendix E``, ``Figure 4 without resnet``.

    Beyond the paper, the name in words: ``Batch sharpness`` for ``batch_sharpness``.
    """
    if not _OF_PAPER.fullmatch(item):
        return item.replace("_", " ").capitalize()
    for prefix, name in _NAMES:
        if item.startswith(prefix):
            number = item.removeprefix(prefix).replace("_", " ")
            return f"{'Appendix' if prefix == 'sec' and number[:1].isalpha() else name} {number}"
    return item
