"""The examples of each iteration."""

from functools import partial

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sharpest.data.dataset import ShuffledStream, Split
from sharpest.data.images import augment

SIDE = 4
AUGMENTATION = partial(augment, flip=True, shift=0.25)


def examples(count: int) -> Split:
    """Images of noise around ten times their index, which is also their class."""
    noise = torch.rand(count, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(9))
    return Split(noise + 10 * torch.arange(count)[:, None, None, None], torch.arange(count))


def stream(count: int, batch_size: int, augmented: bool, seed: int = 777) -> ShuffledStream:
    return ShuffledStream(examples(count), batch_size, seed, AUGMENTATION if augmented else None)


def run_through(of: ShuffledStream, iterations: int) -> tuple[Tensor, Tensor]:
    batches = [of.batch(iteration) for iteration in range(iterations)]
    return torch.cat([batch.inputs for batch in batches]), torch.cat([batch.targets for batch in batches])


sizes = st.integers(1, 40).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))


@given(sizes, st.integers(0, 2**31))
def test_without_augmentation_an_epoch_is_a_permutation_without_the_remainder(size, seed):
    count, batch_size = size
    of = stream(count, batch_size, False, seed)
    steps_per_epoch = count // batch_size
    for epoch in range(3):
        batches = [of.batch(epoch * steps_per_epoch + step) for step in range(steps_per_epoch)]
        seen = torch.cat([batch.targets for batch in batches])
        assert [len(batch) for batch in batches] == [batch_size] * steps_per_epoch
        assert len(set(seen.tolist())) == len(seen) == count - count % batch_size
        # images come with their classes, unchanged
        assert torch.equal(torch.cat([batch.inputs for batch in batches]), examples(count).inputs[seen])


@given(sizes, st.integers(0, 2**31))
def test_with_augmentation_batches_span_passes(size, seed):
    """Every block of n examples from the start is a permutation, at any batch size."""
    count, batch_size = size
    of = stream(count, batch_size, True, seed)
    _, seen = run_through(of, -(-3 * count // batch_size))
    for start in range(0, 3 * count, count):
        assert sorted(seen[start : start + count].tolist()) == list(range(count))


@given(st.integers(2, 40), st.data(), st.booleans())
def test_the_sequence_is_the_same_whatever_the_batch_size(count, data, augmented):
    """With augmentation always, without it up to the remainder that a pass drops."""
    one, other = (data.draw(st.integers(1, count), label=label) for label in ("one", "other"))
    length = 2 * count if augmented else min(count - count % one, count - count % other)
    inputs, targets = run_through(stream(count, one, augmented), -(-length // one))
    other_inputs, other_targets = run_through(stream(count, other, augmented), -(-length // other))
    assert torch.equal(targets[:length], other_targets[:length])
    torch.testing.assert_close(inputs[:length], other_inputs[:length], atol=1e-4, rtol=0)


@given(st.booleans(), st.permutations(range(12)))
def test_a_batch_does_not_depend_on_those_before_it(augmented, order):
    of = stream(10, 4, augmented)
    expected = {iteration: stream(10, 4, augmented).batch(iteration) for iteration in range(12)}
    for iteration in order:
        batch = of.batch(iteration)
        assert torch.equal(batch.inputs, expected[iteration].inputs)
        assert torch.equal(batch.targets, expected[iteration].targets)


def test_augmentations_orders_and_samples_differ():
    """Identical images are each flipped and shifted differently, and differently again in each pass."""
    image = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    same = Split(image.expand(20, -1, -1, -1), torch.zeros(20, dtype=torch.int64))
    of = ShuffledStream(same, 25, 777, AUGMENTATION)
    assert len(of.batch(0)) == 20  # a batch size above the training set gives all of it
    both = torch.cat([of.batch(0).inputs, of.batch(1).inputs])
    assert len(both.flatten(1).unique(dim=0)) == 40
    of = stream(30, 30, False)
    orders = [of.batch(0), of.batch(1), stream(30, 30, False, seed=778).batch(0)]
    assert len({tuple(each.targets.tolist()) for each in orders}) == 3
    of = stream(30, 4, True)
    samples = [of.sample("hessian", 0, 8), of.sample("hessian", 1, 8), of.sample("gradient-0", 0, 8)]
    assert len({tuple(sample.targets.tolist()) for sample in samples}) == 3
    assert not torch.equal(samples[0].inputs, examples(30).inputs[samples[0].targets])


@given(st.integers(1, 30), st.data(), st.booleans(), st.integers(0, 1000))
def test_a_sample_repeats_no_example_and_can_be_drawn_again(count, data, augmented, counter):
    num_examples = data.draw(st.integers(1, count))
    of = stream(count, 1, augmented)
    sample, again = (of.sample("hessian", counter, num_examples) for _ in range(2))
    assert len(set(sample.targets.tolist())) == len(sample) == len(sample.inputs) == num_examples
    assert torch.equal(sample.inputs, again.inputs)
    # an image is still near ten times its index
    assert torch.equal((sample.inputs.flatten(1).mean(dim=1) / 10).floor().long(), sample.targets)
