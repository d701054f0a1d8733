"""From the id of a run to its settings at a scale."""

import difflib
from collections.abc import Mapping
from typing import Any

from sharpest.config.patterns import first_match
from sharpest.config.run import BranchSettings, NudgeSettings, RunSettings
from sharpest.config.run_id import RunId
from sharpest.config.settings import ScaleSettings
from sharpest.config.variants import variant
from sharpest.errors import ConfigError

# NSGD keeps this many eigenpairs and nudges the first K in signed order (inventory 1.6)
MIN_NSGD_EIGENPAIRS = 10
# the learning rate falls by this factor after the first stage of Fig. 12
FIRST_STAGE_DROP = 0.1


def run_settings(run: str, epochs: Mapping[str, int], scale: ScaleSettings) -> RunSettings:
    """The settings of a run at a scale.

    Args:
        run: Run id.
        epochs: Length of every run at paper scale.
        scale: The scale.

    Raises:
        ConfigError: If there is no such run, or the scale lacks its model or data set.
    """
    if run not in epochs:
        close = difflib.get_close_matches(run, epochs, n=1)
        hint = f"; did you mean {close[0]}?" if close else "; add a row"
        raise ConfigError(f"run {run!r} is no row of config/runs.tsv{hint}")
    run_id = RunId.parse(run)
    for kind, name, known in (("dataset", run_id.data, scale.datasets), ("model", run_id.model, scale.models)):
        if name not in known:
            raise ConfigError(f"run {run!r}: {kind} {name!r} is not in the scale's {kind}s: {', '.join(known)}")
    dataset, batch_size = scale.datasets[run_id.data], round(run_id.batch_size * _factor(scale.batch_factor, run))
    if run_id.rule == "fb":
        # the batch would not be the full one, were its images changed
        dataset = dataset.model_copy(update={"flip": False, "shift": 0.0})
        batch_size = scale.full_batch_examples
    plateau = run_id.rule == "plat"
    return RunSettings(
        run=run,
        dataset_name=run_id.data,
        dataset=dataset,
        model=scale.models[run_id.model].model_dump(mode="json"),
        lr=_round(run_id.lr * _factor(scale.lr_factor, run)),
        batch_size=max(1, batch_size),
        full_batch=run_id.rule == "fb",
        momentum=run_id.momentum,
        l2=run_id.l2,
        clip_norm=first_match(scale.clip_norm, run),
        nudge=_nudge(run, run_id, scale),
        branch=_branch(run, run_id, scale),
        rule="plat" if plateau else "const",
        patience=first_match(scale.patience, run) if plateau else None,
        stop_patience=first_match(scale.stop_patience, run) if plateau else None,
        seed=run_id.seed,
        epochs=first_match(scale.epochs, run) or epochs[run],
        snapshot_every=first_match(scale.snapshot_every, run) or 1,
        torch_threads=scale.torch_threads,
    )


def _factor(patterns: Mapping[str, float], run: str) -> float:
    return first_match(patterns, run) or 1.0


def _round(lr: float) -> float:
    """Twelve digits, which keep 0.1 * 3 from becoming 0.30000000000000004."""
    return float(f"{lr:.12g}")


def _nudge(run: str, run_id: RunId, scale: ScaleSettings) -> NudgeSettings | None:
    """The scaled step of NSGD and of the variants of Fig. 7."""
    if run_id.variant:
        return NudgeSettings(
            **_variant(run, run_id.variant),
            num_directions=1,
            num_eigenpairs=scale.variants.num_eigenpairs,
            refresh_every=scale.variants.refresh_every,
            keep_vectors=False,
            loss_examples=scale.variants.loss_examples,
            hessian=scale.hessian_of(run),
        )
    if run_id.optimizer == "sgd":
        return None
    refresh_every = first_match(scale.refresh_every, run)
    return NudgeSettings(
        gamma=run_id.gamma,
        correction=run_id.correction,
        num_directions=run_id.num_directions,
        num_eigenpairs=max(MIN_NSGD_EIGENPAIRS, run_id.num_directions),
        refresh_every=refresh_every,
        # what is refreshed that often is short, and measured at each refresh
        keep_vectors=refresh_every is not None,
        loss_examples=None,
        hessian=scale.hessian_of(run),
    )


def _variant(run: str, name: str) -> dict[str, Any]:
    try:
        return variant(name)
    except ConfigError as error:
        raise ConfigError(f"run {run!r}: {error}") from None


def _branch(run: str, run_id: RunId, scale: ScaleSettings) -> BranchSettings | None:
    """Where a branch leaves its parent: after the first stage of Fig. 12, or where a variant of Fig. 7 begins."""
    if run_id.parent is None:
        return None
    epoch = first_match(scale.branch_epochs, run)
    return BranchSettings(
        parent=run_id.parent,
        epoch=(run_id.branch_epoch if run_id.variant else run_id.first_stage) if epoch is None else epoch,
        lr_factor=1.0 if run_id.variant else FIRST_STAGE_DROP,
    )
