"""The page on the engine, run from top to bottom."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs/curvature.md"


def test_the_examples_run(capsys) -> None:
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, names)
    output = capsys.readouterr().out
    assert re.search(r"lambda_1 \d+\.\d+ \+- \d\.\d+", output)
    assert "0.weight" in output
    assert names["pairs"].converged.all()
