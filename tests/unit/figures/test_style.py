"""The record of points, the foot line, and the bytes of saved files."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from tiers import fast

from sharpest.figures.canvas import Canvas, ordered_colours, save


def test_points_keep_order_and_leave_missing_coordinates_empty() -> None:
    canvas = Canvas()
    canvas.columns = ("x", "y", "z")
    canvas.record("a", "s", "run", x=[1, 2], y=3)
    canvas.record("b", "t", "", x=[4], y=[5], z=[6])
    table = canvas.table()
    assert list(table.columns) == ["panel", "series", "run", "x", "y", "z"]
    assert table["x"].tolist() == [1, 2, 4]
    assert table["y"].tolist() == [3, 3, 5]
    assert table["z"].isna().tolist() == [True, True, False]


def test_ordered_colours_grow_lighter() -> None:
    grey = [0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in map(to_rgb, ordered_colours(30))]
    assert all(later > earlier for earlier, later in pairwise(grey))
    assert grey[-1] < 0.75


def saved(folder: Path) -> Path:
    figure = Canvas(5, 3)
    figure.subplots().plot([0, 1], [1, 0])
    figure.note("A thing to know.", "", "Another one.")
    save(figure, pd.DataFrame({"panel": "a", "x": [0.1 + 0.2, np.pi]}), "quick scale", "panels", folder / "fig99")
    return folder / "fig99"


def test_the_foot_stays_below_the_panels(tmp_path: Path) -> None:
    figure = Canvas(5, 3)
    axes = figure.subplots()
    axes.set_xlabel("epoch")
    save(figure, pd.DataFrame(), "quick scale, not a reproduction; details: fig99.md", "panels", tmp_path / "fig99")
    foot = figure.texts[0].get_window_extent()
    assert foot.x1 <= figure.bbox.x1
    assert foot.y0 >= 0
    assert foot.y1 <= axes.get_tightbbox().y0


def test_notes_are_beside_the_figure_and_in_its_metadata(tmp_path: Path) -> None:
    stem = saved(tmp_path)
    assert stem.with_suffix(".md").read_text() == "# fig99\n\nA thing to know.\n\nAnother one.\n"
    assert Image.open(stem.with_suffix(".png")).text["Description"] == "A thing to know.\nAnother one."
    assert b"/Subject (A thing to know." in stem.with_suffix(".pdf").read_bytes()
    assert b"/Type3" not in stem.with_suffix(".pdf").read_bytes()


def test_saving_twice_gives_the_same_bytes_and_full_precision(tmp_path: Path) -> None:
    contents = []
    for attempt in "ab":
        (tmp_path / attempt).mkdir()
        stem = saved(tmp_path / attempt)
        contents.append([stem.with_suffix(f".{suffix}").read_bytes() for suffix in ("pdf", "png", "csv", "md")])
    assert contents[0] == contents[1]
    assert b"CreationDate" not in contents[0][0]
    assert pd.read_csv(tmp_path / "a/fig99.csv")["x"].tolist() == [0.1 + 0.2, np.pi]
    assert "0.30000000000000004" in (tmp_path / "a/fig99.csv").read_text()


HOSTILE = """
text.usetex: True
axes.edgecolor: red
axes.facecolor: yellow
axes.spines.left: False
axes.prop_cycle: cycler(color=["lime"])
font.family: monospace
font.weight: bold
figure.dpi: 37
figure.constrained_layout.h_pad: 1
savefig.bbox: tight
savefig.transparent: True
lines.linestyle: :
mathtext.fontset: stix
axes.formatter.use_locale: True
path.simplify: False
pdf.compression: 0
"""
DRAWING = """
from pathlib import Path
import pandas as pd
from sharpest.figures.canvas import Canvas, save, styled

@styled
def draw():
    figure = Canvas(4, 3)
    axes = figure.subplots()
    axes.plot(range(999), [number % 7 for number in range(999)], label=r"$\\lambda_1$")
    axes.set(title="title", xlabel="iteration", ylabel="loss", yscale="symlog")
    axes.legend()
    return figure

save(draw(), pd.DataFrame({"x": [1.0]}), "foot", "single", Path("fig99"))
"""


def drawn(folder: Path, **environment: str) -> dict[str, bytes]:
    """The files of a figure that another process draws in a folder."""
    folder.mkdir(exist_ok=True)
    apart = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "MPLCONFIGDIR": str(folder / "cache")}
    subprocess.run([sys.executable, "-c", DRAWING], cwd=folder, env={**os.environ, **apart, **environment}, check=True)
    return {path.name: path.read_bytes() for path in folder.glob("fig99.*")}


@pytest.mark.parametrize("place", fast(["matplotlibrc", "cache/matplotlibrc", "own.rc"], "own.rc"))
def test_a_personal_style_changes_no_figure(tmp_path: Path, place: str) -> None:
    """In the folder, in MPLCONFIGDIR, and named by a variable."""
    rc = tmp_path / "personal" / place
    rc.parent.mkdir(parents=True)
    rc.write_text(HOSTILE)
    named = {"MATPLOTLIBRC": str(rc)} if place == "own.rc" else {}
    expected = drawn(tmp_path / "plain")
    assert expected.keys() == {"fig99.png", "fig99.pdf", "fig99.csv", "fig99.md"}
    assert drawn(tmp_path / "personal", **named) == expected
