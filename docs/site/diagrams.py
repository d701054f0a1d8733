"""Diagrams of the site, drawn from the code: the imports of the package, and the rules of the workflow."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import grimp
import matplotlib as mpl
import networkx as nx
from matplotlib.figure import Figure

_INK, _BOX = "#2b2b2b", "#e8eaf6"


def imports() -> str:
    """The subpackages as SVG; an arrow points from a subpackage to one that imports it."""
    graph = grimp.build_graph("sharpest", cache_dir=None)
    rooms = sorted(module for module in graph.modules if module.count(".") == 1 and not module.endswith("__main__"))
    for room in rooms:
        graph.squash_module(room)
    edges = ((imported, room) for room in rooms for imported in graph.find_modules_directly_imported_by(room))
    return _layered((old.partition(".")[2], new.partition(".")[2]) for old, new in edges if old in rooms)


def rules(root: Path) -> str:
    """The rules needed for all targets as SVG; an arrow points from a rule to one that reads its files.

    Args:
        root: Folder of the Snakefile.
    """
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "--forceall", "--quiet", "all", "--", "all"]
    dot = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r'(\d+)\[label = "([^"]+)"', dot))
    edges = [(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", dot)]
    return _layered((a.replace("_", " "), b.replace("_", " ")) for a, b in edges if b != "all")


def _layered(edges: Iterable[tuple[str, str]]) -> str:
    """An acyclic graph in rows, each node above its successors; arrows implied by others are left out."""
    graph = nx.transitive_reduction(nx.DiGraph((a, b) for a, b in edges if a != b))
    rows = list(nx.topological_generations(graph))
    place = {
        name: (1.9 * (column - (len(row) - 1) / 2), -1.0 * number)
        for number, row in enumerate(rows)
        for column, name in enumerate(sorted(row))
    }
    width, height = 1.9 * max(map(len, rows)), 0.85 * len(rows)
    style = {"svg.fonttype": "none", "svg.hashsalt": "sharpest", "font.family": "sans-serif"}
    with mpl.rc_context({**mpl.rcParamsDefault, **style}):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-width / 2 - 0.1, width / 2 + 0.1), ylim=(-len(rows) + 0.4, 0.5))
        axes.set_axis_off()
        for old, new in sorted(graph.edges):
            (x, y), (to_x, to_y) = place[old], place[new]
            bend = 0.0 if y - to_y < 1.5 else 0.2 if x < 0 else -0.2  # around the boxes between
            arrow = {"arrowstyle": "-|>", "color": _INK, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
            arrow["connectionstyle"] = f"arc3,rad={bend}"
            axes.annotate("", (to_x, to_y + 0.2), (x, y - 0.2), arrowprops=arrow, zorder=1)
        for name, (x, y) in place.items():
            box = {"boxstyle": "round,pad=0.35", "facecolor": _BOX, "edgecolor": _INK, "linewidth": 0.8}
            axes.text(x, y, name, ha="center", va="center", fontsize=10, color=_INK, bbox=box, zorder=2)
        with io.StringIO() as out:
            figure.savefig(out, format="svg", metadata={"Date": None})
            return out.getvalue()
