"""Ids of adaptive optimizers, and of branches that change settings, and the resulting settings of training."""

import pytest

from sharpest.errors import ConfigError

TRUNK = "fcn-few-sgd-lr0.05-S64-mse-s5"


def settings(scales, run: str, *others: str, text: str = ""):
    runs = "".join(f"  {name}: 800\n" for name in (run, *others))
    return scales.load(f"runs:\n{runs}{text}").run(run)


def test_the_optimizer_is_that_of_the_id(scales):
    adam = settings(scales, "fcn-few-adam-lr0.001-S64-b2_0.99-mse-s5")
    assert (adam.optimizer, adam.beta1, adam.beta2, adam.epsilon, adam.weight_decay) == ("adam", 0.9, 0.99, 1e-8, 0)
    adamw = settings(scales, "fcn-few-adamw-lr0.001-S64-wd_0.1-mse-s5", text="adam_epsilon: 1.0e-6\n")
    assert (adamw.optimizer, adamw.beta2, adamw.epsilon, adamw.weight_decay) == ("adamw", 0.999, 1e-6, 0.1)
    rmsprop = settings(scales, "fcn-few-rmsprop-lr0.001-S64-mse-s5")
    assert (rmsprop.optimizer, rmsprop.beta1, rmsprop.beta2) == ("rmsprop", 0, 0.99)
    nsgd = settings(scales, "fcn-few-nsgd-lr0.05-S64-g0.1-K5-mse-s5")
    assert (nsgd.optimizer, nsgd.beta1, nsgd.beta2, nsgd.epsilon) == ("sgd", 0, 0, 0)


def test_a_branch_may_change_a_setting(scales):
    trunk = settings(scales, TRUNK)
    halved = settings(scales, f"{TRUNK}@e40/S0.5", TRUNK)
    assert (halved.batch_size, halved.branch.batch_size) == (trunk.batch_size // 2, trunk.batch_size)
    assert halved.branch_point == 40 * trunk.steps_per_epoch
    assert halved.start == 2 * halved.branch_point
    assert halved.nudge is None
    faster = settings(scales, f"{TRUNK}@e40/lr1.5", TRUNK)
    assert faster.branch.lr_factor == 1.5
    assert faster.lr == 0.6
    assert trunk.lr == 0.4
    moved = settings(scales, f"{TRUNK}@e40/m0.9", TRUNK)
    assert (moved.momentum, moved.branch.lr_factor, moved.lr) == (0.9, 1, trunk.lr)


def test_a_branch_may_leave_out_several_directions(scales):
    text = "for_runs:\n  - {runs: '*@e40/notopK3', set: {variants: {num_eigenpairs: 4}}}\n"
    nudge = settings(scales, f"{TRUNK}@e40/notopK3", TRUNK, text=text).nudge
    assert (nudge.gamma, nudge.rest, nudge.num_directions, nudge.num_eigenpairs) == (0, 1, 3, 4)
    assert settings(scales, f"{TRUNK}@e40/notopK3", TRUNK).nudge.num_eigenpairs == 3  # as many as it needs


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("S1", "changes nothing"),
        ("lr1", "changes nothing"),
        ("m0", "changes nothing"),
        ("S0.001", "batch size 64 times 0.001 is 0.064, outside of 1 to 128 training examples"),
        ("S4", "batch size 64 times 4 is 256, outside of 1 to 128"),
        ("topK0", "scales no direction"),
        ("sgdK3", "write it as 'sgd'"),
        ("x0K3", "write it as 'notopK3'"),
        ("half", "known: sgd, top, ctop, notop, x<number>"),
    ],
)
def test_an_invalid_variant_is_refused(scales, variant, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        settings(scales, f"{TRUNK}@e40/{variant}", TRUNK)
    assert "\n" not in str(caught.value)


def test_a_branch_has_the_batch_size_of_its_parent_or_a_variant(scales):
    text = "for_runs:\n  - {runs: '*@e40/lr2', set: {batch_factor: 0.5}}\n"
    with pytest.raises(ConfigError, match=r"batch size 32 differs from 64 of its parent; give both the same"):
        settings(scales, f"{TRUNK}@e40/lr2", TRUNK, text=text)


@pytest.mark.parametrize(
    ("schedule", "reason"), [("step", "it measures SGD's step"), ("flow", "full batch, constant rate")]
)
def test_measures_of_the_sgd_step_are_refused_for_adam(scales, schedule, reason):
    run = "fcn-few-adam-lr0.001-S2560-n2560-mse-fb-s5"
    project = scales.load(f"runs:\n  {run}: 800\n")
    with pytest.raises(ConfigError, match=reason) as caught:
        project.schedule(run, schedule)
    assert "\n" not in str(caught.value)
    assert project.schedule(run, "critical").measures
