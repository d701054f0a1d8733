"""docs/import.md as a whole: from checkpoints through the import and the pipeline to figures."""

import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from .conftest import ROOT, Project

PAGE = (ROOT / "docs/import.md").read_text()
(MODULE,) = re.findall(r"```python\n# new file: mine.py\n(.*?)```", PAGE, re.DOTALL)
(TRAIN,) = re.findall(r"```python\n# run\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
RUN = "net-data-sgd-lr0.5-S32-s0"


def shell(command: str, folder: Path) -> str:
    """What a command prints in a checkout, on its own copy of the package."""
    python = Path(sys.executable)
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(folder / "src")}
    command = re.sub(r"\b(sharpest|snakemake) (?=-|\w)", rf"{python.name} -m \1 ", command)
    result = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_the_page_is_followed_to_its_figures(checkout: Project) -> None:
    folder = checkout.folder
    (folder / "mine.py").write_text(MODULE)
    subprocess.run([sys.executable, "-c", TRAIN], cwd=folder, check=True)
    _, _, eigs, opened = [shell(command, folder) for command in COMMANDS]

    points = pd.read_csv(folder / "results/imported/figures/fig_sharpness.csv")
    assert set(points["panel"]) == {"largest eigenvalue", "batch sharpness"}
    assert np.isfinite(points["y"]).all()
    with h5py.File(folder / f"results/imported/spectra/{RUN}/checkpoints.h5") as spectra:
        assert spectra["iteration"][:].tolist() == [0, 64, 128]
        stored = spectra["eigenvalues"][:]
        assert spectra["converged"][:].all()
    assert np.allclose(sorted(points["y"])[-1], stored.max())
    shown = [float(line.split()[1]) for line in eigs.splitlines() if re.match(r"\d ", line)]
    assert np.allclose(shown, stored[2], rtol=1e-4)
    assert np.allclose([float(word) for word in re.findall(r"\d+\.\d+", opened)], stored[1, :2], rtol=1e-3)

    others = [f"results/imported/density/{RUN}/checkpoints.h5", "results/imported/figures/fig_steps.png"]
    scale = ("--config", "scale=imported")
    result = checkout.snakemake("--cores", "2", *others, *scale)
    assert result.returncode == 0, result.stdout
    assert all((folder / path).exists() for path in others)
    assert checkout.planned(*others, "results/imported/figures/fig_sharpness.png", *scale) == {}
    # what lies between two checkpoints cannot be measured
    checkout.edit("config/scales/imported.yaml", lambda text: text.replace("iterations 0, 64", "iterations 0, 63"))
    result = checkout.snakemake("--cores", "2", others[0], *scale)
    assert result.returncode != 0
    assert f"{RUN} is imported: only its checkpoints can be measured" in result.stdout
