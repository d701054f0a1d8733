"""The learning-rate and stopping rule of Sec. 4, as Keras 2.2 counts it (inventory 1.5)."""

import math
from dataclasses import dataclass, replace

THRESHOLD = 1e-4  # smallest improvement of the validation loss, absolute
FACTOR = 0.1


@dataclass(frozen=True)
class PlateauRule:
    """Cuts the learning rate when validation loss stalls; stops training when validation accuracy stalls.

    The first cut comes after ``patience`` + 1 epochs without improvement, each later cut after ``patience`` more,
    because Keras' callback counts the epoch of a cut towards the next cut.

    Attributes:
        patience: Epochs without a lower validation loss before a cut.
        stop_patience: Epochs without a strictly higher validation accuracy before the stop.
        best_loss: Lowest validation loss so far, nats.
        wait: Epochs counted towards the next cut.
        best_accuracy: Highest validation accuracy so far, a fraction.
        stop_wait: Epochs counted towards the stop.

    Source: Sec. 4; inventory 1.5.
    """

    patience: int
    stop_patience: int
    best_loss: float = math.inf
    wait: int = 0
    best_accuracy: float = -math.inf
    stop_wait: int = 0

    def after_epoch(self, val_loss: float, val_accuracy: float) -> tuple["PlateauRule", bool, bool]:
        """The rule after one more epoch, whether to cut the learning rate, and whether to stop."""
        rule, cut = self, False
        if val_loss < self.best_loss - THRESHOLD:
            rule = replace(rule, best_loss=val_loss, wait=0)
        else:
            cut = self.wait >= self.patience
            rule = replace(rule, wait=1 if cut else self.wait + 1)
        if val_accuracy > self.best_accuracy:
            rule = replace(rule, best_accuracy=val_accuracy, stop_wait=0)
        else:
            rule = replace(rule, stop_wait=self.stop_wait + 1)
        return rule, cut, rule.stop_wait >= self.stop_patience
