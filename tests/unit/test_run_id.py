"""Run ids: every id survives a round trip, and each run has one spelling."""

import csv
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpest.errors import ConfigError
from sharpest.run_id import RunId

RUNS = Path(__file__).parents[2] / "config" / "runs.tsv"

# ids hold six significant digits
positive = st.floats(1e-9, 9e5).map(lambda x: float(f"{x:.6g}"))
names = st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True)


@st.composite
def run_ids(draw: st.DrawFn) -> RunId:
    nsgd = draw(st.booleans())
    return RunId(
        model=draw(names),
        data=draw(names).lower(),
        optimizer="nsgd" if nsgd else "sgd",
        lr=draw(positive),
        batch_size=draw(st.integers(1, 10**6)),
        momentum=draw(st.just(0.0) | st.floats(0.001, 0.999).map(lambda x: round(x, 4))),
        gamma=draw((positive | st.just(0.0)).filter(lambda gamma: gamma != 1)) if nsgd else 1.0,
        num_directions=draw(st.integers(1, 100)) if nsgd else 0,
        l2=draw(st.just(0.0) | positive),
        rule=draw(st.sampled_from(["const", "plat"])),
        seed=draw(st.integers(0, 10**18 - 1)),
    )


@given(run_ids())
def test_an_id_survives_a_round_trip(run: RunId) -> None:
    assert RunId.parse(str(run)) == run


@given(st.text(st.sampled_from("scnr10dglSKme.-_ps7+x"), max_size=40) | st.text(max_size=20))
def test_a_text_is_an_id_or_a_config_error(text: str) -> None:
    with suppress(ConfigError):
        assert str(RunId.parse(text)) == text


def test_parts_of_an_id() -> None:
    assert RunId.parse("r32-c10-nsgd-lr0.01-S128-m0.9-g0.1-K5-l2_1e-4-plat-s778") == RunId(
        "r32", "c10", "nsgd", 0.01, 128, momentum=0.9, gamma=0.1, num_directions=5, l2=1e-4, rule="plat", seed=778
    )
    assert RunId.parse("scnn-c10-sgd-lr0.1-S128-s777") == RunId("scnn", "c10", "sgd", 0.1, 128)


def test_every_row_of_the_runs_is_an_id() -> None:
    with open(RUNS, newline="") as file:
        runs = [row["run"] for row in csv.DictReader(file, delimiter="\t")]
    assert runs
    assert [str(RunId.parse(run)) for run in runs] == runs


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("scnn-c10-sgd-lr0.10-S128-s777", "scnn-c10-sgd-lr0.1-S128-s777"),
        ("scnn-c10-sgd-lr1e-1-S128-s777", "scnn-c10-sgd-lr0.1-S128-s777"),
        ("scnn-c10-sgd-lr0.1-S0128-s777", "scnn-c10-sgd-lr0.1-S128-s777"),
        ("scnn-c10-sgd-lr0.1-S128-s0777", "scnn-c10-sgd-lr0.1-S128-s777"),
        ("scnn-c10-sgd-lr0.1-S128-m0-s777", "scnn-c10-sgd-lr0.1-S128-s777"),
        ("scnn-c10-sgd-lr0.1-S128-l2_0-s777", "scnn-c10-sgd-lr0.1-S128-s777"),
        ("scnn-c10-sgd-lr0.1-S128-l2_0.0001-s777", "scnn-c10-sgd-lr0.1-S128-l2_1e-4-s777"),
        ("r32-c10-nsgd-lr0.1-S128-g5.0-K5-s777", "r32-c10-nsgd-lr0.1-S128-g5-K5-s777"),
        ("r32-c10-nsgd-lr0.1-S128-g1-K5-s777", "r32-c10-sgd-lr0.1-S128-s777"),
        ("r32-c10-nsgd-lr0.1-S128-g1.0-K5-plat-s777", "r32-c10-sgd-lr0.1-S128-plat-s777"),
    ],
)
def test_another_spelling_is_refused_with_the_right_one(text: str, spelling: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RunId.parse(text)
    assert repr(text) in str(caught.value)
    assert f"write it as {spelling!r}" in str(caught.value)
    RunId.parse(spelling)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("r32-c10-nsgd-lr0.1-S128-s777", "nsgd needs -g<gamma>-K<K>"),
        ("r32-c10-nsgd-lr0.1-S128-g0.1-K0-s777", "K of at least 1"),
        ("r32-c10-sgd-lr0.1-S128-g0.1-K5-s777", "sgd takes neither"),
        ("r32-c10-nsgd-lr0.1-S128-g0.1-s777", "write <model>-<data>-"),
        ("scnn-c10-adam-lr0.1-S128-s777", "write <model>-<data>-"),
        ("scnn-c10-sgd-lr0.1-S128", "write <model>-<data>-"),
        ("scnn-c10-sgd-S128-lr0.1-s777", "write <model>-<data>-"),
        ("scnn-c10-sgd-lr0.1-S128-s777\n", "write <model>-<data>-"),
        ("../scnn-c10-sgd-lr0.1-S128-s777", "write <model>-<data>-"),
        (f"scnn-c10-sgd-lr0.1-S128-s{'9' * 5000}", "write <model>-<data>-"),
        ("", "write <model>-<data>-"),
        ("scnn-c10-sgd-lr0-S128-s777", "lr and S must be above 0"),
        ("scnn-c10-sgd-lr0.1-S0-s777", "lr and S must be above 0"),
        ("scnn-c10-sgd-lr1e999-S128-s777", "below 1e6"),
        ("scnn-c10-sgd-lr1000000-S128-s777", "below 1e6"),
        ("scnn-c10-sgd-lr0.1-S128-l2_1e999-s777", "below 1e6"),
        ("scnn-c10-sgd-lr0.1-S128-m1-s777", "m below 1"),
    ],
)
def test_what_is_no_id_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RunId.parse(text)
    assert repr(text) in str(caught.value)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
