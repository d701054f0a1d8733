"""docs/your-own.md, followed word for word, and mistakes that it refuses."""

import re
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from .conftest import ROOT, Project

PAGE = (ROOT / "docs/your-own.md").read_text()
FILE = re.compile(r"```(?:python|yaml)\n# new file: (\S+)\n(.*?)```", re.DOTALL)
SCRIPT = re.compile(r"```python\n# run\n(.*?)```", re.DOTALL)
TARGET = "results/mine/figures/fig_mine.png"


@pytest.fixture
def followed(checkout: Project) -> Project:
    """A checkout in which the page has been followed, up to the command."""
    (checkout.folder / "data").mkdir()
    (script,) = SCRIPT.findall(PAGE)
    subprocess.run([sys.executable, "-c", script], cwd=checkout.folder, check=True)
    files = FILE.findall(PAGE)
    assert [name for name, _ in files] == ["src/sharpest/models/my_net.py", "config/scales/mine.yaml"]
    for name, content in files:
        assert not (checkout.folder / name).exists()
        (checkout.folder / name).write_text(content)
    assert f"snakemake --cores all {TARGET} --config scale=mine" in PAGE
    return checkout


@pytest.mark.slow
def test_the_page_draws_its_figure(followed: Project) -> None:
    result = followed.snakemake("--cores", "2", TARGET, "--config", "scale=mine")
    assert result.returncode == 0, result.stdout
    assert (followed.folder / TARGET).exists()
    points = pd.read_csv(followed.folder / TARGET.replace("png", "csv"))
    assert set(points["run"].dropna()) == {"mynet-mine-sgd-lr0.1-S32-s777"}
    assert np.isfinite(points["y"]).any()
    # the rest of the project is unchanged, and a changed net is detected
    assert followed.planned("tables", "--config", "scale=quick") == followed.planned("tables")
    assert followed.planned(TARGET, "--config", "scale=mine") == {}
    followed.edit("src/sharpest/models/my_net.py", lambda text: text.replace("relu()", "tanh()"))
    assert followed.planned(TARGET, "--config", "scale=mine")["train_run"] == 1


MISTAKES = {
    "no such net": ("net: my_net", "net: my_nett", ["there is no src/sharpest/models/my_nett.py", "write it"]),
    "net as a path": ("net: my_net", "net: ../my_net", ["models.mynet.net", "../my_net"]),
    "no id": ("mynet-mine-sgd-lr0.1-S32-s777: 8", "mynet-mine: 8", ["mine.yaml, line 10: runs: ", "'mynet-mine'"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_before_any_job(checkout: Project, refusal: Callable[..., str], mistake: str) -> None:
    right, wrong, words = MISTAKES[mistake]
    files = dict(FILE.findall(PAGE))
    (checkout.folder / "config/scales/mine.yaml").write_text(files["config/scales/mine.yaml"].replace(right, wrong))
    line = refusal(checkout, scale="mine")
    assert all(word in line for word in words), line
