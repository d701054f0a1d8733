"""Quantities of the end points of a run or of two runs, and one that needs no run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sharpest.claims.curves import whole_history
from sharpest.claims.quantity import Quantity, RunFiles
from sharpest.claims.resampling import with_error
from sharpest.claims.shapes import UnmeasuredError
from sharpest.claims.verdicts import Sample
from sharpest.config.sources import SOURCES, ImportedSource, TokenSource
from sharpest.measures.evaluations import BEST, LAST, accuracy_at, median_seconds
from sharpest.trajectory.steps import nudge, sgd_change

_CHANCE = 0.95  # a run whose loss stays above this fraction of the loss of guessing has not learnt


def _ended(number: Callable[[RunFiles], float], examples: str | None = None) -> Callable[[RunFiles, str], Sample]:
    """A reader of a number from a run that did not diverge.

    Args:
        number: Reads the number.
        examples: Of an accuracy, the part of the data set it is measured on; its size gives the standard error.
    """

    def read(files: RunFiles, facet: str) -> Sample:
        if files.evaluations.divergence:
            raise UnmeasuredError(files.evaluations.divergence)
        value = number(files)
        if not math.isfinite(value):
            raise UnmeasuredError("not measured")
        if examples is None:
            return Sample(float(value))
        count = files.evaluations.attributes["config"]["run"]["dataset"][examples]
        return with_error(float(100 * value), 100 * math.sqrt(value * (1 - value) / count), files.source.run)

    return read


def _best(name: str) -> Callable[[RunFiles], float]:
    return lambda files: files.evaluations.best(name)


def _final(name: str) -> Callable[[RunFiles], float]:
    return lambda files: files.evaluations.last(name)


def _early_accuracy(files: RunFiles) -> float:
    return accuracy_at(files.history, files.evaluations.early_epoch)


def _epoch_seconds(files: RunFiles) -> float:
    return median_seconds(files.snapshots)


_test_accuracy = _ended(_best("test_accuracy"), examples="test")
_frobenius_final = _ended(_final("frobenius"))
_val_acc_early = _ended(_early_accuracy, examples="val")


def _test_acc(files: RunFiles, facet: str) -> Sample:
    """The test accuracy with the answer to each test example, so that two nets can be compared example by example."""
    evaluations = files.evaluations
    answers = evaluations["test_correct"][BEST]
    examples = f"{evaluations.attributes['dataset']}, {len(answers)} examples"
    return replace(_test_accuracy(files, facet), answers=answers, examples=examples)


def _train_acc_final(files: RunFiles, facet: str) -> Sample:
    return Sample(float(100 * whole_history(files)["train_accuracy"].iloc[-1]))


def _diverged(files: RunFiles, facet: str) -> Sample:
    evaluations = files.evaluations
    source = SOURCES[evaluations.attributes["config"]["run"]["dataset"]["source"]]
    # the loss of guessing is unknown for text and imported data
    num_classes = None if isinstance(source, TokenSource | ImportedSource) else source.num_classes
    guessing_loss = math.inf if num_classes is None else math.log(num_classes)
    never_learnt = bool((evaluations["train_loss"] >= _CHANCE * guessing_loss).all())
    return Sample(float(never_learnt or evaluations.diverged is not None))


def update_difference() -> float:
    """Largest absolute difference between the updates of NSGD and Newton's method on a diagonal Hessian.

    The NSGD update is computed by the code that training uses. Curvature is 100 in five directions and 1 in two;
    gamma = 0.01, K = 5, eta = 1.

    Source: App. E.
    """
    hessian = np.diag([100.0] * 5 + [1.0] * 2)
    gradient = np.linspace(-1, 1, 7)
    _, vectors = np.linalg.eigh(hessian)
    top = vectors.T[::-1][:5]
    nsgd = nudge(sgd_change(gradient, None, lr=1.0, momentum=0.0), top, gamma=0.01)
    return float(np.abs(nsgd + np.linalg.solve(hessian, gradient)).max())


_SECTION = "inventory 1.7 and section 8"
_EARLY = "Validation accuracy at the end of the scale's early epoch, which is {} at the paper's scale."

END_POINTS: Sequence[Quantity] = (
    Quantity(
        "test_acc", "%", "Test accuracy in the epoch of the best validation accuracy.", _SECTION, ("evaluations",),
        _test_acc,
    ),
    Quantity(
        "test_acc_diff", "points", "`test_acc`, first runs minus second.", _SECTION, ("evaluations",), _test_acc,
        compare="difference",
    ),
    Quantity("val_acc_50", "%", _EARLY.format(50), _SECTION, ("evaluations", "history"), _val_acc_early),
    Quantity("val_acc_10", "%", _EARLY.format(10), _SECTION, ("evaluations", "history"), _val_acc_early),
    Quantity(
        "val_acc_10_diff", "points", "`val_acc_10`, first runs minus second.", _SECTION, ("evaluations", "history"),
        _val_acc_early, compare="difference",
    ),
    Quantity(
        "val_acc_50_diff", "points", "`val_acc_50`, first runs minus second.", _SECTION, ("evaluations", "history"),
        _val_acc_early, compare="difference",
    ),
    Quantity(
        "loss_final", "nats", "Cross-entropy without L2 at the end, on clean training examples.", _SECTION,
        ("evaluations",), _ended(_final("train_loss")),
    ),
    Quantity(
        "dist", "", "Distance from the initial parameters to those of the best validation accuracy.", _SECTION,
        ("evaluations",), _ended(_best("distance")),
    ),
    Quantity(
        "lambda_max_best", "nats", "Largest signed eigenvalue at the best validation accuracy.", _SECTION,
        ("evaluations",), _ended(lambda files: files.evaluations["eigenvalues"][BEST, 0]),
    ),
    Quantity(
        "lambda_max_final", "nats", "Largest signed eigenvalue at the end.", _SECTION, ("evaluations",),
        _ended(lambda files: files.evaluations["eigenvalues"][LAST, 0]),
    ),
    Quantity(
        "frobenius_best", "nats", "Frobenius norm of the largest eigenvalues at the best validation accuracy.",
        _SECTION, ("evaluations",), _ended(_best("frobenius")),
    ),
    Quantity(
        "frobenius_final", "nats", "The same at the end.", _SECTION, ("evaluations",), _frobenius_final,
    ),
    Quantity(
        "frobenius_final_ratio", "", "`frobenius_final`, first runs over second.", _SECTION, ("evaluations",),
        _frobenius_final,
        compare="ratio",
    ),
    Quantity(
        "train_acc_final", "%", "Training accuracy over the updates of the last epoch, on augmented images; the "
        "accuracy on clean images is higher.", _SECTION, ("history",), _train_acc_final,
    ),
    Quantity(
        "epoch_time_ratio", "", "Median wall time of an epoch, first runs over second.", _SECTION,
        ("evaluations", "snapshots"), _ended(_epoch_seconds), compare="ratio",
    ),
    Quantity(
        "diverged", "", "1 if the loss became non-finite, or was at least 95 % of the loss of guessing both at the "
        "best validation accuracy and at the end; else 0.", _SECTION, ("evaluations",), _diverged,
    ),
    Quantity(
        "update_difference", "", "Largest absolute difference between the updates of NSGD and Newton's method on a "
        "diagonal Hessian.", "App. E", (), lambda files, facet: Sample(update_difference()),
    ),
)  # fmt: skip
