"""The forecast of the quick scale against its benchmark files; skipped unless the scale is finished."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from builders import spent

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "quick"
pytestmark = pytest.mark.skipif(
    not (RESULTS / "report.html").exists(), reason="no finished results; make them with: snakemake --cores all all"
)


@pytest.mark.slow
def test_within_a_factor_of_two_of_the_measured_cost(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "sharpest",
        "forecast",
        "--scale",
        "quick",
        "--csv",
        str(tmp_path / "quick.csv"),
    ]
    if not list(RESULTS.glob("runs/*-s1001")):  # made with the paper's seeds only
        (tmp_path / "seeds.yaml").write_text("seeds: 0")
        command += ["--configfile", str(tmp_path / "seeds.yaml")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with open(tmp_path / "quick.csv", newline="") as file:
        (foreseen,) = (row for row in csv.DictReader(file) if row["name"] == "all")
    hours, memory = spent(RESULTS)
    disk = sum(path.stat().st_size for path in RESULTS.rglob("*") if path.is_file())
    assert hours / 2 < float(foreseen["cpu_hours"]) < 2 * hours
    assert memory / 2 < float(foreseen["memory_bytes"]) < 2 * memory
    assert disk / 2 < float(foreseen["disk_bytes"]) < 2 * disk
