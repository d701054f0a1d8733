"""The plateau rule, compared with traces counted by hand."""

import numpy as np
import pytest

from sharpest.trajectory.state import THRESHOLD, PlateauRule


def trace(rule: PlateauRule, epochs: list[tuple[float, float]]) -> tuple[list[int], int | None]:
    """Epochs, from 1, that end with a cut, and the one that ends with the stop."""
    cuts = []
    for epoch, (loss, accuracy) in enumerate(epochs, start=1):
        rule, cut, stop = rule.after_epoch(loss, accuracy)
        if cut:
            cuts.append(epoch)
        if stop:
            return cuts, epoch
    return cuts, None


def test_two_cuts_and_the_stop_by_hand():
    """Patience 2 and 5."""
    rule = PlateauRule(patience=2, stop_patience=5)
    epochs = [
        # loss, accuracy, cut, stop, and why
        (1.0000, 0.50, False, False),  # the first is the best so far
        (0.99995, 0.50, False, False),  # better by less than 1e-4: 1 epoch without improvement
        (0.9998, 0.60, False, False),  # better
        (0.9998, 0.60, False, False),  # 1
        (1.2000, 0.60, False, False),  # 2
        (0.9999, 0.60, True, False),  # 3 = patience + 1
        (0.9998, 0.60, False, False),  # 1 after the cut, which counted itself
        (0.9998, 0.60, True, True),  # patience after the first cut; 5 epochs at 0.60
    ]
    for loss, accuracy, cut, stop in epochs:
        rule, *actual = rule.after_epoch(loss, accuracy)
        assert actual == [cut, stop]


def test_the_paper_cuts_at_the_101st_epoch_without_improvement_and_every_100_more():
    """One improvement, then none: its epochs are 2, 3, ..., so the 101st of them is epoch 102."""
    rule = PlateauRule(patience=100, stop_patience=10_000)
    assert trace(rule, [(1.0, 0.5)] * 450) == ([102, 202, 302, 402], None)


def test_an_improvement_restarts_the_count():
    """After a cut, patience + 1 epochs are again needed if a better loss comes in between."""
    losses = [1.0] + [1.0] * 3 + [0.5] + [0.5] * 9
    assert trace(PlateauRule(3, 100), [(loss, 0.5) for loss in losses]) == ([9, 12], None)


def test_the_best_loss_moves_by_real_improvements_only():
    """Losses that fall by less than the threshold per epoch are compared with the last improvement."""
    creeping = [1.0, 0.99994, 0.99988, 0.99982, 0.99976]  # the third is 1.2e-4 below the first
    rule = PlateauRule(100, 100)
    waits = []
    for loss in creeping:
        rule, _, _ = rule.after_epoch(loss, 0.5)
        waits.append(rule.wait)
    assert waits == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_threshold_is_absolute(scale):
    rule, _, _ = PlateauRule(5, 5).after_epoch(scale, 0.5)
    assert rule.after_epoch(scale - 0.9e-4, 0.5)[0].wait == 1
    assert rule.after_epoch(scale - 1.1e-4, 0.5)[0].wait == 0


def test_an_improvement_by_the_threshold_itself_does_not_count():
    """As in Keras: the loss must be below the best minus the threshold."""
    rule, _, _ = PlateauRule(5, 5).after_epoch(1.0, 0.5)
    tie = 1.0 - THRESHOLD
    assert rule.after_epoch(tie, 0.5)[0].wait == 1
    assert rule.after_epoch(np.nextafter(tie, 0), 0.5)[0].wait == 0


def test_the_stop_asks_for_strictly_better_accuracy():
    epochs = [(1.0, 0.5), (0.9, 0.5), (0.8, 0.5), (0.7, 0.50001), (0.6, 0.5), (0.5, 0.5), (0.4, 0.50001)]
    assert trace(PlateauRule(100, 3), epochs) == ([], 7)


def test_a_rule_is_not_changed_by_an_epoch():
    rule = PlateauRule(3, 3)
    rule.after_epoch(1.0, 0.5)
    assert rule == PlateauRule(3, 3)
