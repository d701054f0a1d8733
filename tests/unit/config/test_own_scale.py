"""A scale with runs and studies of its own: its lengths count, and only what it uses is checked."""

import re
from typing import Any

import pytest

from sharpest.claims.ledger import read_ledgers
from sharpest.claims.plans import plan_claims, with_new_seeds
from sharpest.commands.main import main
from sharpest.config.show import show

RUN = "scnn-mine-sgd-lr0.1-S32-s777"
MINE = f"""\
datasets:
  mine: {{kind: images, source: digits, train: 1290, val: 200, test: 297, flip: false, shift: 0}}
runs:
  {RUN}: 8
schedules:
  growth:
    points: every 1/lr iterations for 10/lr iterations, then every 5/lr iterations
    measures:
      spectra: {{num_eigenpairs: 3, accuracy_examples: 100}}
      directions: {{indices: [1], num_gradients: 6, alphas: [1], grid: [-4, 0, 4], loss_examples: 200}}
studies:
  fig_mine:
    kind: step_surface
    caption: mine
    direction: 1
    alphas: [1]
    grid_limit: 4
    layout: row
    rows:
      - {{run: {RUN}, schedule: growth, label: my net, change_limit: 50}}
"""
HESSIAN = "hessian: {examples: 200}\n"


def test_the_length_of_an_own_run_counts(scales: Any) -> None:
    """Also with new seeds; the scale that it extends has 20 epochs for all runs. Its own for_runs come after it."""
    project = scales.load(MINE)
    assert [project.run(RUN.replace("777", seed)).epochs for seed in ("777", "1001")] == [8, 8]
    assert re.search(r"epochs +8 +config/scales/mine.yaml:6\n", show(project, RUN))
    assert re.search(r"epochs +8 +config/scales/mine.yaml:6\n", show(project, RUN.replace("777", "1001")))
    longer = scales.load(f'{MINE}for_runs: [{{runs: "*-mine-*", set: {{epochs: 9}}}}]\n')
    assert longer.run(RUN).epochs == 9


def test_only_its_own_runs_and_studies_are_checked(scales: Any) -> None:
    """Runs of the paper do not fit so many examples, nor the inherited points of its schedule ``growth``."""
    assert "exceeds 128 training examples" in scales.refusal(HESSIAN)
    project = scales.load(HESSIAN + MINE)
    assert (project.run_ids, project.figures, project.tables, project.beyond) == ([RUN], ["fig_mine"], [], ())
    for claims in read_ledgers(scales.folder).values():
        assert plan_claims(with_new_seeds(claims, project), project) == {}


def test_an_own_study_is_named_with_its_file_and_line(scales: Any) -> None:
    message = scales.refusal(MINE.replace("schedule: growth", "schedule: grown"))
    assert re.search(r"fig_mine in \S+/config/scales/mine.yaml, line \d+: schedule 'grown' is not in", message)


def test_the_settings_of_an_invalid_scale_are_shown(
    scales: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And then what is wrong."""
    scales.write("extends: quick\ndescription: mine\nhessian: {examples: 300}\n" + MINE.replace("1290", "250"))
    monkeypatch.chdir(scales.folder.parent)
    assert main(["show", RUN, "--scale", "mine"]) == 1
    output = capsys.readouterr()
    assert re.search(r"examples +300 +config/scales/mine.yaml:3\n", output.out)
    assert output.err == (
        f"error: scale mine: run {RUN}: hessian.examples 300 exceeds 250 training examples; lower hessian.examples\n"
    )
