"""docs/extending.md, followed word for word."""

import os
import re
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest

from .conftest import ROOT, Project

EXACT = """
import sharpest
point = sharpest.open_point("{run}", {iteration})
print(*[float((g**4).sum() / (g @ g) ** 2) for g in point.gradients(20).double()])
"""
BLOCK = re.compile(r"```(?:python|diff|yaml|csv)\n# (new file|change|append): (\S+)\n(.*?)```", re.DOTALL)


def follow(project: Project) -> int:
    """Apply the code blocks of the page; returns their number."""
    blocks = BLOCK.findall((ROOT / "docs/extending.md").read_text())
    for what, name, content in blocks:
        path = project.folder / name
        if what == "new file":
            assert not path.exists()
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        elif what == "append":
            between = "" if path.suffix == ".csv" else "\n"
            path.write_text(path.read_text() + between + content)
        else:
            before, after = (
                "\n".join(line[1:] for line in content.splitlines() if line[0] == sign) for sign in ("-", "+")
            )
            assert path.read_text().count(before) >= 1, f"{name} has no {before!r}"
            path.write_text(path.read_text().replace(before, after, 1))
    return len(blocks)


@pytest.mark.slow
def test_the_worked_example_draws_its_figures(checkout: Project) -> None:
    assert follow(checkout) == 17
    targets = [f"results/quick/figures/{name}.png" for name in ("fig_mlp", "fig_half", "fig_participation")]
    result = checkout.snakemake("--cores", "2", *targets)
    assert result.returncode == 0, result.stdout
    assert all((checkout.folder / target).exists() for target in targets)
    # the figure shows the stored numbers, which are those of the gradients at the point
    run, folder = "mlp-stripes-sgd-lr0.1-S64-s777", checkout.folder / "results"
    points = pd.read_csv(folder / "quick/figures/fig_participation.csv")
    with h5py.File(folder / f"quick/participation/{run}/fine.h5") as file:
        iteration, inverse, error = (file[name][...] for name in ("iteration", "inverse", "inverse_error"))
    drawn = points[(points["panel"] == "gradients") & (points["run"] == run)]
    np.testing.assert_array_equal(drawn["x"], iteration)
    np.testing.assert_array_equal(drawn["y"], inverse)
    np.testing.assert_array_equal(drawn["error"], error)
    exact = subprocess.run(
        [sys.executable, "-c", EXACT.format(run=run, iteration=iteration[3])], cwd=checkout.folder,
        env={**os.environ, "PYTHONPATH": "src"}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    ratios = np.array(exact.stdout.split(), dtype=float)
    np.testing.assert_allclose([inverse[3], error[3]], [ratios.mean(), ratios.std(ddof=1) / 20**0.5], rtol=1e-9)
    claim = judged(checkout, "mine.participation")
    assert claim["verdict"] in ("holds", "fails", "inconclusive")
    assert np.isfinite(claim["value"])


def judged(project: Project, name: str) -> "pd.Series[object]":
    """One claim of the page on the finished runs; the others need missing runs."""
    lines = (project.folder / "config/claims.csv").read_text().splitlines(keepends=True)
    (project.folder / "config/claims.csv").write_text("".join([lines[0], lines[-1]]))
    assert project.snakemake("--cores", "1", "results/quick/claims.csv").returncode == 0
    claims = pd.read_csv(project.folder / "results/quick/claims.csv").set_index("id")
    assert list(claims.index) == [name]
    return claims.loc[name]


def test_the_example_reruns_nothing_existing(replanned: Project) -> None:
    """Nothing existing is retrained or remeasured. All is drawn and judged with the new measure's reader."""
    follow(replanned)
    planned = replanned.planned("all")
    assert set(planned) == {
        "prepare_data", "train_run", "measure", "draw_figure", "write_table", "judge_claims", "write_report",
    }  # fmt: skip
    assert planned["prepare_data"] == 1
    assert planned["train_run"] == 3
    assert planned["measure"] == 2  # spectra and participation of the new run
    assert planned["draw_figure"] == 5 + 3
