"""Derives the settings of a run at a scale from its id."""

from typing import Any

from sharpest.config.interventions import intervened, lr_factor, scaled_rate
from sharpest.config.reading import validate
from sharpest.config.run import BranchSettings, NudgeSettings, RunSettings
from sharpest.config.run_id import RunId
from sharpest.config.settings import RunKeys, ScaleSettings
from sharpest.config.variant_names import intervention
from sharpest.config.variants import variant
from sharpest.errors import ConfigError

# NSGD keeps this many eigenpairs and nudges the first K in signed order (inventory 1.6)
MIN_NSGD_EIGENPAIRS = 10
# the learning rate falls by this factor after the first stage of Fig. 12
FIRST_STAGE_DROP = 0.1


def run_settings(run: str, epochs: int, keys: RunKeys, scale: ScaleSettings) -> RunSettings:
    """The settings of a run at a scale.

    Args:
        run: Run id.
        epochs: Length of the run at paper scale.
        keys: The scale's keys for this run.
        scale: The scale.

    Raises:
        ConfigError: If the scale lacks its model or data set, or its settings do not agree with each other.
    """
    run_id = RunId.parse(run)
    for kind, name, known in (("dataset", run_id.data, scale.datasets), ("model", run_id.model, scale.models)):
        if name not in known:
            raise ConfigError(f"run {run!r}: {kind} {name!r} is not in the scale's {kind}s: {', '.join(known)}")
    dataset, batch_size = scale.datasets[run_id.data], round(run_id.batch_size * keys.batch_factor)
    if run_id.rule == "fb":
        # with augmentation, the batch would differ between updates
        dataset = dataset.model_copy(update={"flip": False, "shift": 0.0})
        batch_size = scale.full_batch_examples
    plateau = run_id.rule == "plat"
    if plateau and None in (keys.patience, keys.stop_patience):
        raise ConfigError(f"run {run!r}: the plateau rule needs patience and stop_patience; give it both")
    settings = {
        "run": run,
        "dataset_name": run_id.data,
        "dataset": dataset,
        "model": scale.models[run_id.model].model_dump(mode="json"),
        "lr": scaled_rate(run_id.lr, keys.lr_factor),
        "batch_size": max(1, batch_size),
        "full_batch": run_id.rule == "fb",
        **_optimizer(run_id, scale),
        "loss": run_id.loss,
        "l2": run_id.l2,
        "clip_norm": keys.clip_norm,
        "nudge": _nudge(run, run_id, keys),
        "branch": _branch(run_id, keys, max(1, batch_size)),
        "rule": "plat" if plateau else "const",
        "patience": keys.patience if plateau else None,
        "stop_patience": keys.stop_patience if plateau else None,
        "seed": run_id.seed,
        "epochs": keys.epochs or epochs,
        "snapshot_every": keys.snapshot_every,
        "torch_threads": scale.torch_threads,
    }
    checked = validate(RunSettings, settings, "config")
    return intervened(checked, run_id.variant) if intervention(run_id.variant) else checked


def _optimizer(run_id: RunId, scale: ScaleSettings) -> dict[str, Any]:
    return {
        "optimizer": "sgd" if run_id.optimizer == "nsgd" else run_id.optimizer,
        **{key: getattr(run_id, key) for key in ("momentum", "nesterov", "beta1", "beta2", "weight_decay")},
        "epsilon": scale.adam_epsilon if run_id.is_adaptive else 0.0,
    }


def _nudge(run: str, run_id: RunId, keys: RunKeys) -> NudgeSettings | None:
    """The scaled step of NSGD and of the variants of Fig. 7."""
    if intervention(run_id.variant):
        return None
    if run_id.variant:
        step = _variant(run, run_id.variant)
        return NudgeSettings(
            **step,
            num_eigenpairs=max(keys.variants.num_eigenpairs, step["num_directions"]),
            refresh_every=keys.variants.refresh_every,
            keep_vectors=False,
            loss_examples=keys.variants.loss_examples,
            hessian=keys.hessian,
        )
    if run_id.optimizer != "nsgd":
        return None
    return NudgeSettings(
        gamma=run_id.gamma,
        correction=run_id.correction,
        num_directions=run_id.num_directions,
        num_eigenpairs=max(MIN_NSGD_EIGENPAIRS, run_id.num_directions),
        refresh_every=keys.refresh_every,
        # runs with such frequent refreshes are short, and measured at each refresh
        keep_vectors=keys.refresh_every is not None,
        loss_examples=None,
        hessian=keys.hessian,
    )


def _variant(run: str, name: str) -> dict[str, Any]:
    try:
        return variant(name)
    except ConfigError as error:
        raise ConfigError(f"run {run!r}: {error}") from None


def _branch(run_id: RunId, keys: RunKeys, batch_size: int) -> BranchSettings | None:
    """Where a branch leaves its parent: after the first stage of Fig. 12, or where its variant begins."""
    if run_id.parent is None:
        return None
    by_id = run_id.branch_epoch if run_id.variant else run_id.first_stage
    return BranchSettings(
        parent=run_id.parent,
        epoch=by_id if keys.branch_epoch is None else keys.branch_epoch,
        batch_size=batch_size,
        lr_factor=lr_factor(run_id.variant) if run_id.variant else FIRST_STAGE_DROP,
    )
