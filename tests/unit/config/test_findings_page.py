"""The scale file in docs/findings.md changes what the page says."""

import re
import shutil
from pathlib import Path

from sharpest.config.project import load_project

ROOT = Path(__file__).parents[3]
RUNS = ("scnn-c10-sgd-lr0.01-S128-s777", "r32-c10-sgd-lr0.01-S128-l2_1e-4-s777")


def test_its_scale_doubles_the_learning_rate_of_two_runs(tmp_path: Path) -> None:
    (scale,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/findings.md").read_text(encoding="utf-8"), re.DOTALL)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "config/scales/why.yaml").write_text(scale, encoding="utf-8")
    changed, quick = (load_project({"scale": name}, tmp_path / "config") for name in ("why", "quick"))
    assert [changed.run(run).lr for run in RUNS] == [2 * quick.run(run).lr for run in RUNS]
    other = "scnn-c10-sgd-lr0.05-S128-s777"
    assert changed.run(other).lr == quick.run(other).lr
