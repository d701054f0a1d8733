"""Full-batch training at the edge: every panel shows the numbers of its file, and the crossing of the edge."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from printed import check_column

from sharpest.config.studies import FullBatchEdge
from sharpest.errors import ConfigError
from sharpest.figures.lines import full_batch_edge as draw
from sharpest.figures.widths import INCHES

GD, HEAVY = "fcn-c10-sgd-lr0.1-S64-n64-mse-fb-s1", "fcn-c10-sgd-lr0.1-S64-m0.5-n64-mse-fb-s1"
LR = 0.1
LOSS, RATIO, DISTANCE = "loss after every update", "λ₁ over its edge", "distance to the gradient flow"


def study(*runs: str, flow: str | None = "flow", **keys: Any) -> FullBatchEdge:
    lines = [{"run": run, "schedule": "edge", "label": run.split("-")[4], "flow": flow} for run in runs]
    return FullBatchEdge.model_validate({"kind": "full_batch_edge", "caption": "", "lines": lines, **keys})


def write(folder: Any, run: str, momentum: float = 0.0, nesterov: bool = False, top: float = 6, **options: Any) -> None:
    """Five points 10 updates apart, with largest eigenvalues that grow by ``top``; the loss of 40 updates."""
    config = {"run": {"momentum": momentum, "nesterov": nesterov}}
    arrays = {
        "iteration": 10 * np.arange(5),
        "eigenvalues": top * np.arange(5.0)[:, None] + 1,
        "converged": np.ones((5, 1), bool),
    }
    folder.write_measure("spectra", run, "edge", {"t": 5, "k": 1}, arrays, lr=LR, config=config, **options)
    folder.write_snapshots(run, {"t": 2, "u": 41}, {"update_loss": np.linspace(2, 1, 41), "iteration": [0, 40]})
    distance = {"iteration": [0, 20, 40], "distance": [0.0, 0.5, 3]}
    folder.write_measure("gradient_flow", run, "flow", {"t": 3}, distance, lr=LR, config=config, **options)


def test_every_panel_shows_the_numbers_of_its_file(folder: Any) -> None:
    write(folder, GD)
    figure, table = draw(study(GD), folder.inputs(), "foot")
    panels = dict(iter(table[table["series"] == "S64"].groupby("panel")))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [LOSS, RATIO, DISTANCE]
    assert_allclose(panels[LOSS][["x", "y"]], np.stack([LR * np.arange(41), np.linspace(2, 1, 41)], axis=1))
    # 2 / eta is 20
    assert_allclose(panels[RATIO][["x", "y"]], np.stack([[0, 1, 2, 3, 4], np.array([1, 7, 13, 19, 25]) / 20], axis=1))
    assert_allclose(panels[DISTANCE][["x", "y"]], [[0, 0], [2, 0.5], [4, 3]])
    assert figure.axes[1].lines[0].get_ydata()[0] == 1


def test_the_first_crossing_is_marked_in_every_panel_and_kept(folder: Any) -> None:
    write(folder, GD)
    figure, table = draw(study(GD, x="iteration"), folder.inputs(), "")
    (crossing,) = table[table["series"] == "S64: first crossing"].to_dict("records")
    assert (crossing["panel"], crossing["run"], crossing["x"], crossing["y"]) == (RATIO, GD, 40, 25 / 20)
    for axes in figure.axes:
        dotted = [line for line in axes.lines if line.get_linestyle() == ":"]
        assert [line.get_xdata()[0] for line in dotted] == [40]


def test_a_run_that_stays_below_has_no_crossing(folder: Any) -> None:
    write(folder, GD, top=4)
    figure, table = draw(study(GD), folder.inputs(), "")
    assert set(table["series"]) == {"S64"}
    assert not any(line.get_linestyle() == ":" for axes in figure.axes for line in axes.lines)


@pytest.mark.parametrize(("nesterov", "edge"), [(False, 30), (True, 15)])
def test_the_edge_is_that_of_the_runs_momentum(nesterov: bool, edge: float, folder: Any) -> None:
    write(folder, HEAVY, momentum=0.5, nesterov=nesterov)
    figure, table = draw(study(HEAVY, flow=None), folder.inputs(), "")
    assert_allclose(
        table.loc[(table["panel"] == RATIO) & (table["series"] == "S64"), "y"], np.array([1, 7, 13, 19, 25]) / edge
    )
    assert len(figure.axes) == 2  # with momentum there is no gradient flow


def test_seeds_have_a_mean_and_a_crossing_each(folder: Any) -> None:
    for seed, top in ((1001, 6), (1002, 8)):
        write(folder, GD.replace("-s1", f"-s{seed}"), top=top)
    _, table = draw(study(GD, x="iteration").of_seeds((1001, 1002)), folder.inputs(), "")
    means = table[table["run"].str.startswith("mean") & (table["panel"] == RATIO)]
    assert_allclose(means["y"], (7 * np.arange(5) + 1) / 20)
    assert table[table["series"] == "S64: first crossing"]["x"].tolist() == [40, 30]


def test_a_seed_that_diverged_is_named_and_in_no_mean(folder: Any) -> None:
    for seed in (1001, 1002, 1003):
        write(folder, GD.replace("-s1", f"-s{seed}"), diverged_epoch=3.5 if seed == 1002 else None)
    figure, table = draw(study(GD).of_seeds((1001, 1002, 1003)), folder.inputs(), "")
    assert set(table.loc[table["run"].str.startswith("mean"), "run"]) == {"mean of 1001, 1003"}
    labels = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert labels == ["S64, seed 1002 diverged at epoch 3.5"]


@pytest.mark.slow
@pytest.mark.parametrize("width", INCHES)
def test_it_fits_a_column(width: str, folder: Any, tmp_path: Path) -> None:
    write(folder, GD)
    write(folder, HEAVY, momentum=0.5)
    figure, table = draw(study(GD, HEAVY), folder.inputs(), "")
    check_column(figure, table, width, tmp_path)
    dashes = {str(line.get_linestyle()) for line in figure.axes[-1].get_legend().get_lines()}
    assert len(dashes) == 2  # colours alone are alike in grey


def test_a_run_on_mini_batches_is_refused() -> None:
    schedule: Any = SimpleNamespace(name="edge", measures={"spectra": None, "gradient_flow": None})
    study(GD).check(study(GD).curves()[0], schedule)
    wrong = study("fcn-c10-sgd-lr0.1-S8-s1")
    with pytest.raises(ConfigError, match=r"'fcn-c10-sgd-lr0\.1-S8-s1' is not a full-batch run; name one with -fb"):
        wrong.check(wrong.curves()[0], schedule)
