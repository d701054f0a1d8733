"""Run ids: every id survives a round trip, and each run has exactly one spelling."""

import csv
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharpest.config.run_id import DECAYS, RunId
from sharpest.errors import ConfigError

RUNS = Path(__file__).parents[3] / "config" / "runs.tsv"

# ids hold six significant digits
positive = st.floats(1e-9, 9e5).map(lambda x: float(f"{x:.6g}"))
names = st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True)


@st.composite
def run_ids(draw: st.DrawFn) -> RunId:
    optimizer = draw(st.sampled_from(["sgd", "nsgd", "adam", "adamw", "rmsprop"]))
    nsgd, adaptive = optimizer == "nsgd", optimizer in DECAYS
    rule = draw(st.sampled_from(["const", "plat", "fb"]))
    batch_size = draw(st.integers(1, 10**6))
    fractions = st.floats(0.001, 0.999).map(lambda x: round(x, 4))
    momentum = 0.0 if adaptive else draw(st.just(0.0) | fractions)
    decays = {key: draw(st.just(usual) | st.just(0.0) | fractions) for key, usual in DECAYS.get(optimizer, {}).items()}
    of_all, of_sgd = ["", "lr1.5", "S0.5"], ["sgd", "top", "ctop", "notop", "x0.25", "topK10", "x4K2", "m0.9", "m0"]
    variant = "" if nsgd else draw(st.sampled_from(of_all if adaptive else [*of_all, *of_sgd]))
    return RunId(
        model=draw(names),
        data=draw(names).lower(),
        optimizer=optimizer,
        **decays,
        weight_decay=draw(positive) if optimizer == "adamw" else 0.0,
        lr=draw(positive),
        batch_size=batch_size,
        momentum=momentum,
        gamma=draw((positive | st.just(0.0)).filter(lambda gamma: gamma != 1)) if nsgd else 1.0,
        num_directions=draw(st.integers(1, 100)) if nsgd else 0,
        correction=draw(st.sampled_from(["v", "g", "both"])) if nsgd and momentum else "v",
        nesterov=bool(momentum) and draw(st.booleans()),
        l2=draw(st.just(0.0) | positive),
        subset=batch_size if rule == "fb" else 0,
        first_stage=draw(st.integers(0, 1000)),
        loss=draw(st.sampled_from(["cross_entropy", "squared"])),
        rule=rule,
        seed=draw(st.integers(0, 10**18 - 1)),
        variant=variant,
        branch_epoch=draw(st.integers(0, 1000)) if variant else 0,
    )


@given(run_ids())
def test_an_id_survives_a_round_trip(run: RunId) -> None:
    assert RunId.parse(str(run)) == run


@given(run_ids())
def test_a_parent_is_an_id_with_one_branch_less(run: RunId) -> None:
    """Up to the run that starts from its initial weights."""
    generations = [run]
    while generations[-1].parent is not None:
        generations.append(RunId.parse(generations[-1].parent))
    assert len(generations) == 1 + bool(run.variant) + bool(run.first_stage)
    root = generations[-1]
    assert (root.variant, root.branch_epoch, root.first_stage) == ("", 0, 0)
    for name in ("lr", "batch_size", "momentum", "nesterov", "loss", "seed", "rule"):
        assert getattr(root, name) == getattr(run, name)


@given(st.text(st.sampled_from("scnr10dglSKme.-_ps7+xL@/fbtop"), max_size=40) | st.text(max_size=20))
def test_a_text_is_an_id_or_a_config_error(text: str) -> None:
    with suppress(ConfigError):
        assert str(RunId.parse(text)) == text


def test_parts_of_an_id() -> None:
    assert RunId.parse("r32-c10-nsgd-lr0.01-S128-m0.9-g0.1-K5-l2_1e-4-plat-s778") == RunId(
        "r32", "c10", "nsgd", 0.01, 128, momentum=0.9, gamma=0.1, num_directions=5, l2=1e-4, rule="plat", seed=778
    )
    assert RunId.parse("scnn-c10-sgd-lr0.1-S128-s777") == RunId("scnn", "c10", "sgd", 0.1, 128)
    assert RunId.parse("r32bn-c10-sgd-lr0.05-S2560-n2560-fb-s777") == RunId(
        "r32bn", "c10", "sgd", 0.05, 2560, subset=2560, rule="fb"
    )
    assert RunId.parse("r32-c10-sgd-lr0.1-S128-L20-s777") == RunId("r32", "c10", "sgd", 0.1, 128, first_stage=20)
    assert RunId.parse("scnn-c10-sgd-lr0.01-S128-s777@e4/x0.25") == RunId(
        "scnn", "c10", "sgd", 0.01, 128, branch_epoch=4, variant="x0.25"
    )
    assert RunId.parse("r32-c10-nsgd-lr0.01-S128-m0.9-g0.01-K5-correct_both-plat-s777") == RunId(
        "r32", "c10", "nsgd", 0.01, 128, 0.9, 0.01, 5, "both", rule="plat"
    )
    assert RunId.parse("fcn-c10-sgd-lr0.05-S512-m0.9-nesterov-l2_1e-4-n512-mse-fb-s777") == RunId(
        "fcn", "c10", "sgd", 0.05, 512, momentum=0.9, nesterov=True, l2=1e-4, subset=512, loss="squared", rule="fb"
    )
    assert RunId.parse("fcn-few-adam-lr0.001-S4-b2_0.99-mse-s1") == RunId(
        "fcn", "few", "adam", 0.001, 4, beta1=0.9, beta2=0.99, loss="squared", seed=1
    )
    assert RunId.parse("fcn-few-adamw-lr0.001-S4-b1_0-wd_0.1-s1@e2/S0.5") == RunId(
        "fcn", "few", "adamw", 0.001, 4, beta2=0.999, weight_decay=0.1, seed=1, branch_epoch=2, variant="S0.5"
    )
    assert RunId.parse("fcn-few-rmsprop-lr0.001-S4-s1") == RunId("fcn", "few", "rmsprop", 0.001, 4, beta2=0.99, seed=1)
    assert RunId.parse("fcn-c10-nsgd-lr0.05-S8-m0.5-nesterov-g0.1-K2-L3-mse-plat-s1") == RunId(
        "fcn", "c10", "nsgd", 0.05, 8, 0.5, 0.1, 2, nesterov=True, first_stage=3, loss="squared", rule="plat", seed=1
    )


@pytest.mark.parametrize(
    ("run", "parent"),
    [
        ("r32-c10-sgd-lr0.1-S128-s777", None),
        ("r32-c10-sgd-lr0.1-S128-L20-s777", "r32-c10-sgd-lr0.1-S128-s777"),
        ("r32-c10-sgd-lr0.1-S128-m0.9-l2_1e-4-L20-plat-s778", "r32-c10-sgd-lr0.1-S128-m0.9-l2_1e-4-plat-s778"),
        ("scnn-c10-sgd-lr0.01-S128-s777@e4/notop", "scnn-c10-sgd-lr0.01-S128-s777"),
        ("scnn-c10-sgd-lr0.01-S128-L2-s777@e4/notop", "scnn-c10-sgd-lr0.01-S128-L2-s777"),
    ],
)
def test_the_parent_of_a_branch(run: str, parent: str | None) -> None:
    assert RunId.parse(run).parent == parent


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
        ("r32-c10-nsgd-lr0.1-S128-m0.9-g1-K5-correct_g-s777", "r32-c10-sgd-lr0.1-S128-m0.9-s777"),
        ("r32-c10-sgd-lr0.1-S128-L020-s777", "r32-c10-sgd-lr0.1-S128-L20-s777"),
        ("r32-c10-sgd-lr0.1-S128-L0-s777", "r32-c10-sgd-lr0.1-S128-s777"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e04/top", "scnn-c10-sgd-lr0.1-S128-s777@e4/top"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/x2.0", "scnn-c10-sgd-lr0.1-S128-s777@e4/x2"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/x0.250", "scnn-c10-sgd-lr0.1-S128-s777@e4/x0.25"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/x0.10K010", "scnn-c10-sgd-lr0.1-S128-s777@e4/x0.1K10"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/topK1", "scnn-c10-sgd-lr0.1-S128-s777@e4/top"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/S0.50", "scnn-c10-sgd-lr0.1-S128-s777@e4/S0.5"),
        ("scnn-c10-adam-lr0.1-S128-b1_0.9-s777", "scnn-c10-adam-lr0.1-S128-s777"),
        ("scnn-c10-rmsprop-lr0.1-S128-b2_0.990-s777", "scnn-c10-rmsprop-lr0.1-S128-s777"),
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
        ("scnn-c10-adagrad-lr0.1-S128-s777", "write <model>-<data>-"),
        ("scnn-c10-adamw-lr0.1-S128-s777", "adamw needs -wd_<c> above 0"),
        ("scnn-c10-adam-lr0.1-S128-wd_0.1-s777", "no other optimizer takes it"),
        ("scnn-c10-sgd-lr0.1-S128-b1_0.9-s777", "b1 is a decay rate of adam and adamw; sgd has none"),
        ("scnn-c10-rmsprop-lr0.1-S128-b1_0.9-s777", "b1 is a decay rate of adam and adamw; rmsprop has none"),
        ("scnn-c10-adam-lr0.1-S128-b2_1-s777", "b1 and b2 must be below 1"),
        ("scnn-c10-adam-lr0.1-S128-m0.9-s777", "m, nesterov, g and K belong to sgd and nsgd"),
        ("scnn-c10-adam-lr0.1-S128-g0.1-K5-s777", "m, nesterov, g and K belong to sgd and nsgd"),
        ("scnn-c10-adam-lr0.1-S128-s777@e4/top", "variant 'top' is for SGD runs; for adam write lr<f> or S<f>"),
        ("scnn-c10-adam-lr0.1-S128-s777@e4/m0.9", "for adam write lr<f> or S<f>"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/x1e7", "the number of a variant must be below 1e6"),
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
        ("scnn-c10-sgd-lr0.1-S128-nesterov-s777", "write -m<m>-nesterov with m above 0"),
        ("scnn-c10-sgd-lr0.1-S128-m0-nesterov-s777", "write -m<m>-nesterov with m above 0"),
        ("r32-c10-nsgd-lr0.1-S128-nesterov-g0.1-K5-s777", "write -m<m>-nesterov with m above 0"),
        ("r32-c10-nsgd-lr0.1-S128-m0.9-g0.1-K5-nesterov-s777", "write <model>-<data>-"),
        ("scnn-c10-sgd-lr0.1-S128-plat-mse-s777", "write <model>-<data>-"),
        ("scnn-c10-sgd-lr0.1-S128-mse-L20-s777", "write <model>-<data>-"),
        ("r32-c10-sgd-lr0.1-S2560-fb-s777", "a full-batch run has the size of its subset as S"),
        ("r32-c10-sgd-lr0.1-S2560-n2560-s777", "a full-batch run has the size of its subset as S"),
        ("r32-c10-sgd-lr0.1-S128-n2560-fb-s777", "-S<n>...-n<n>-fb"),
        ("r32-c10-sgd-lr0.1-S128-n0-fb-s777", "-S<n>...-n<n>-fb"),
        ("r32-c10-sgd-lr0.1-S128-plat-L20-s777", "write <model>-<data>-"),
        ("r32-c10-nsgd-lr0.1-S128-g0.1-K5-s777@e4/top", "variants are branches of SGD runs"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4", "[@e<epoch>/<variant>]"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/", "[@e<epoch>/<variant>]"),
        ("scnn-c10-sgd-lr0.1-S128-s777@4/top", "[@e<epoch>/<variant>]"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/../top", "[@e<epoch>/<variant>]"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/Top", "[@e<epoch>/<variant>]"),
        ("scnn-c10-sgd-lr0.1-S128-s777@e4/x-1", "[@e<epoch>/<variant>]"),
        ("r32-c10-nsgd-lr0.1-S128-g0.1-K5-correct_g-s777", "without momentum correct_g is correct_v"),
        ("r32-c10-sgd-lr0.1-S128-m0.9-correct_g-s777", "write <model>-<data>-"),
        ("r32-c10-nsgd-lr0.1-S128-m0.9-g0.1-K5-correct_v-s777", "write <model>-<data>-"),
    ],
)
def test_an_invalid_id_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RunId.parse(text)
    assert repr(text) in str(caught.value)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
