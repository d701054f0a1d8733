"""The phase diagram of the first steps: boundaries against the width, and the sharpness after the last step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from printed import check_column

from sharpest.config.studies import PhaseDiagram
from sharpest.figures.phase_diagram import draw
from sharpest.figures.widths import INCHES

WIDTHS = (64, 16)
C = np.array([1.0, 2, 4, 8])
BOUNDARIES = {"c_loss": "loss rises", "c_sharp": "sharpness rises", "c_max": "last bounded"}


def run_of(width: int, seed: int = 1) -> str:
    return f"fcn{width}-c10-sgd-lr0.1-S64-s{seed}"


def study() -> PhaseDiagram:
    lines = [{"run": run_of(w), "schedule": "start", "label": f"width {w}"} for w in WIDTHS]
    return PhaseDiagram.model_validate({"kind": "phase_diagram", "caption": "", "lines": lines})


def write(folder: Any, width: int, seed: int = 1, **columns: Any) -> None:
    """Sharpness halves at each of two steps; at the largest c the loss diverges."""
    sharpness = 10 * np.multiply.outer(C, [1.0, 0.5, 0.25])[None]
    sharpness[0, -1, 1:] = np.nan
    values = {
        "factor": C,
        "lambda_0": [10.0],
        "sharpness": sharpness,
        "c_loss": [2.0],
        "c_sharp": [3.0],
        "c_max": [4.0],
    }
    config = {"run": {"model": {"widths": [width, width]}}}
    run, sizes = run_of(width, seed), {"t": 1, "c": 4, "s": 3}
    folder.write_measure("first_steps", run, "start", sizes, values | columns, config=config)


def test_boundaries_are_drawn_against_one_over_the_width(folder: Any) -> None:
    write(folder, 16, c_loss=[2.5], c_sharp=[np.nan])
    write(folder, 64)
    figure, table = draw(study(), folder.inputs(), "")
    diagram = table[table["panel"] == "outcome of the first steps"]
    drawn = {column: diagram[diagram["series"] == label] for column, label in BOUNDARIES.items()}
    assert_allclose(drawn["c_loss"][["x", "y"]], [[1 / 64, 2], [1 / 16, 2.5]])
    assert drawn["c_loss"]["run"].tolist() == [run_of(64), run_of(16)]
    assert_allclose(drawn["c_sharp"][["x", "y"]], [[1 / 64, 3]])  # beyond the grid elsewhere
    assert_allclose(drawn["c_max"]["y"], [4, 4])
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert_allclose(lines["loss rises"].get_xydata(), [[1 / 64, 2], [1 / 16, 2.5]])


def test_the_second_panel_has_the_ratio_of_last_to_first_sharpness(folder: Any) -> None:
    for width in WIDTHS:
        write(folder, width, lambda_0=[width])
    _, table = draw(study(), folder.inputs(), "")
    for width in WIDTHS:
        rows = table[table["series"] == f"width {width}"]
        assert_allclose(rows[["x", "y"]], np.stack([C[:-1], 2.5 * C[:-1] / width], axis=1))


def test_seeds_have_a_mean_at_each_width(folder: Any) -> None:
    for seed, low in ((1001, 2.0), (1002, 4.0)):
        write(folder, 16, seed, c_loss=[low])
        write(folder, 64, seed, c_loss=[low + 1])
    figure, table = draw(study().of_seeds((1001, 1002)), folder.inputs(), "")
    means = table[(table["series"] == "loss rises") & table["run"].str.startswith("mean")]
    assert_allclose(means[["x", "y"]], [[1 / 64, 4], [1 / 16, 3]])
    assert_allclose(means["deviation"], np.sqrt(2))
    assert "2 seeds" in " ".join(" ".join(figure.notes).split())


@pytest.mark.slow
@pytest.mark.parametrize("width", INCHES)
def test_it_fits_a_column(width: str, folder: Any, tmp_path: Path) -> None:
    for seed in (1001, 1002):
        for units in WIDTHS:
            write(folder, units, seed)
    check_column(*draw(study().of_seeds((1001, 1002)), folder.inputs(), ""), width, tmp_path)
