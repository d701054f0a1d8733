"""The record of points, the foot line and the bytes of saved files."""

from pathlib import Path

import numpy as np
import pandas as pd

from sharpest.figures.style import PlottedPoints, add_foot, blue_to_red, new_figure, save


def test_points_keep_order_and_leave_missing_coordinates_empty() -> None:
    points = PlottedPoints()
    points.add("a", "s", "run", x=[1, 2], y=3)
    points.add("b", "t", "", x=[4], y=[5], z=[6])
    table = points.table(("x", "y", "z"))
    assert list(table.columns) == ["panel", "series", "run", "x", "y", "z"]
    assert table["x"].tolist() == [1, 2, 4]
    assert table["y"].tolist() == [3, 3, 5]
    assert table["z"].isna().tolist() == [True, True, False]


def test_no_points_make_an_empty_table_with_columns() -> None:
    assert list(PlottedPoints().table().columns) == ["panel", "series", "run", "x", "y"]


def test_colours_run_from_blue_to_red() -> None:
    first, *_, last = blue_to_red(5)
    assert first[2] > first[0]
    assert last[0] > last[2]
    assert len(set(blue_to_red(30))) == 30


def test_foot_stays_within_the_figure_and_below_the_panels() -> None:
    figure = new_figure(5, 3)
    axes = figure.subplots()
    axes.set_xlabel("epoch")
    add_foot(figure, "first line", "a word or two " * 40)
    figure.draw_without_rendering()
    foot = figure.texts[0].get_window_extent()
    assert figure.texts[0].get_text().startswith("first line\n")
    assert foot.x1 <= figure.bbox.x1
    assert foot.y0 >= 0
    assert foot.y1 <= axes.get_tightbbox().y0


def test_saving_twice_gives_the_same_bytes_and_full_precision(tmp_path: Path) -> None:
    table = pd.DataFrame({"panel": "a", "x": [0.1 + 0.2, np.pi]})
    contents = []
    for attempt in "ab":
        figure = new_figure(3, 2)
        figure.subplots().plot([0, 1], [1, 0])
        paths = [tmp_path / f"{attempt}.{suffix}" for suffix in ("pdf", "png", "csv")]
        save(figure, table, *paths)
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]
    assert b"CreationDate" not in contents[0][0]
    assert pd.read_csv(tmp_path / "a.csv")["x"].tolist() == [0.1 + 0.2, np.pi]
    assert "0.30000000000000004" in (tmp_path / "a.csv").read_text()
