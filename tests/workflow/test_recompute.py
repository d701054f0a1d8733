"""The code in the docs that recomputes verdicts, run on the verdicts of the gallery."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
KEPT = sorted((ROOT / "docs/gallery").glob("claims-*"))


@pytest.fixture(params=KEPT, ids=lambda folder: folder.name)
def recomputed(request: pytest.FixtureRequest) -> tuple[pd.DataFrame, dict[str, str]]:
    """Judged claims, and their verdicts by the code in the docs."""
    (code,) = re.findall(r"```python\n(import numpy.*?)```", (ROOT / "docs/claims.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    with np.errstate(all="ignore"):
        exec(code.replace('"results/quick"', repr(str(request.param))), names)
    return names["judged"], names["verdicts"]


def test_verdicts_follow_from_the_numbers_of_the_seeds(recomputed: tuple[pd.DataFrame, dict[str, str]]) -> None:
    judged, verdicts = recomputed
    rows = judged.loc[list(verdicts)]
    two_sided = ~rows["reason"].str.contains("a lower bound") & (rows["kind"] != "trend") & (rows["error"] > 0)
    plain = rows[two_sided & (rows["verdict"] != "not_judged") & (rows["quantity"] != "train_acc_with_lambda_max")]
    assert len(plain) >= 5
    assert {claim: verdicts[claim] for claim in plain.index} == plain["verdict"].to_dict()


def test_a_trend_that_holds_does_so_by_its_numbers_as_well(
    recomputed: tuple[pd.DataFrame, dict[str, str]],
) -> None:
    judged, verdicts = recomputed
    trends = judged.loc[list(verdicts)].query("kind == 'trend' and verdict == 'holds'")
    assert set(trends.index) <= {claim for claim, verdict in verdicts.items() if verdict == "holds"}
    assert (trends["p_null"].fillna(0) <= 0.05).all()
