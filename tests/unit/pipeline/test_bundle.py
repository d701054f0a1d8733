"""What is stale of results that came in a bundle, by code and by settings."""

import re
from pathlib import Path

import pytest

from sharpest.config.project import Project, load_project
from sharpest.config.reading import read_keys
from sharpest.errors import ConfigError, StoreError
from sharpest.pipeline.fingerprint import fingerprint
from sharpest.pipeline.placed import (
    Bundle,
    Made,
    UsedSettings,
    marker,
    missing,
    parse_bundle,
    settings_digest,
    stale,
    with_bundle,
)
from sharpest.results.paths import Paths

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "workflow/scripts"
RUN = "scnn-c10-sgd-lr0.01-S128-s777"
FILES = {
    "data/c10.h5": ("data", "c10"),
    f"runs/{RUN}/snapshots.h5": ("runs", RUN),
    f"spectra/{RUN}/step.h5": ("spectra", RUN, "step"),
    f"directions/{RUN}/step.h5": ("directions", RUN, "step"),
}


def project_with(**changes: object) -> Project:
    return load_project({**read_keys(ROOT / "config/config.yaml"), **changes}, ROOT / "config")


def bundle_of(project: Project, measuring: str) -> Bundle:
    """One whose measured files were made by code of this fingerprint."""
    code = {"m": measuring, "t": fingerprint(SCRIPTS / "train_run.py")}
    made = [
        Made(place=place, of=of, code="t" if len(of) == 2 else "m", settings=settings_digest(project, of))
        for place, of in FILES.items()
    ]
    used = UsedSettings(seeds=None, datasets={}, substitutes={})
    return Bundle(
        version=1, scale="quick", settings=used, layouts={}, git=("abc",), code=code, made=tuple(made), finished=()
    )


@pytest.fixture(scope="module")
def project() -> Project:
    return project_with()


@pytest.fixture(scope="module")
def measuring() -> str:
    return fingerprint(SCRIPTS / "measure.py", "sharpest.measures.spectra.measure")


def test_nothing_is_stale_where_nothing_has_changed(project: Project, measuring: str) -> None:
    assert stale(bundle_of(project, measuring), project, SCRIPTS) is None


def test_files_of_other_code_are_counted_by_kind_and_the_modules_named(project: Project, measuring: str) -> None:
    edited = re.sub(r"(?<=sharpest\.curvature\.lanczos )\w+", "0" * 12, measuring)
    assert edited != measuring
    bundle = bundle_of(project, edited)
    assert stale(bundle, project, SCRIPTS) == (
        "results/quick came in a bundle, and stays as it is; stale there: 1 directions, 1 spectra "
        "(sharpest.curvature.lanczos changed)"
    )


def test_files_of_other_settings_are_counted(project: Project, measuring: str) -> None:
    bundle = bundle_of(project, measuring)
    more = project_with(datasets={"c10": {"test": 299}})
    assert stale(bundle, more, SCRIPTS) == (
        "results/quick came in a bundle, and stays as it is; stale there: 1 directions, 1 runs, 1 spectra "
        "(settings changed)"
    )


def test_what_the_configuration_no_longer_has_is_stale(project: Project, measuring: str) -> None:
    bundle = bundle_of(project, measuring)
    gone = bundle.made[2].model_copy(update={"of": ("spectra", RUN, "no_schedule")})
    line = stale(bundle.model_copy(update={"made": (gone,)}), project, SCRIPTS)
    assert line is not None
    assert "1 spectra (settings changed)" in line


def test_seeds_data_and_substitutes_are_those_of_the_bundle(
    project: Project, measuring: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = {"scale": "quick", "device": "cuda", "seeds": None, "datasets": {"c10": {"train": 7}}}
    assert with_bundle(config) == config
    paths = Paths.of("quick")
    used = UsedSettings(seeds=3, datasets={}, substitutes={"ptb": {"source": "bible-kjv"}})
    bundle = bundle_of(project, measuring).model_copy(update={"settings": used})
    paths.folder.mkdir(parents=True)
    marker(paths).write_text(bundle.model_dump_json())
    merged = with_bundle(config)
    assert (merged["device"], merged["seeds"], merged["datasets"]) == ("cuda", 3, {})
    assert merged["substitutes"] == {"ptb": {"source": "bible-kjv", "changes": {}}}
    assert with_bundle({**config, "seeds": 3})["seeds"] == 3
    with pytest.raises(ConfigError, match="seeds 5: results/quick came in a bundle with seeds 3"):
        with_bundle({**config, "seeds": 5})
    assert len(missing(bundle, paths)) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not describe a bundle"),
        (b"[]", "does not describe a bundle"),
        (b'"\xff"', "does not describe a bundle"),
        (b'{"version": true}', "does not describe a bundle"),
        (b'{"version": 0}', "is of an older version of the code: bundle version 0, this one reads 1"),
        (b'{"version": 1}', "does not describe a bundle .*scale is missing"),
        (b"[" * 100_000, "does not describe a bundle"),
    ],
)
def test_a_damaged_description_is_refused_in_one_line(content: bytes, message: str) -> None:
    with pytest.raises(StoreError, match=f"^results/quick/bundle.json: {message}") as refused:
        parse_bundle(content, "results/quick/bundle.json")
    assert "\n" not in str(refused.value)
