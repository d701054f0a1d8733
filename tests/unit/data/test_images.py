"""Splitting, centring, scaling and resizing, compared with NumPy in float64."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import POOL, dataset_settings, full_batch_settings, lstm_settings, run_settings, write_images
from pydantic import ValidationError

from sharpest.config.run import ImageSettings
from sharpest.data.dataset import RunData
from sharpest.data.images import load
from sharpest.errors import DataError
from sharpest.results.datasets import DATA
from sharpest.results.file import open_stored, write_stored

CPU = torch.device("cpu")
SEED = 778
# values near one, standardised in float32
ROUNDING = 2e-6


def load_run(path: Path, dataset: ImageSettings, image_size: int | None = None, seed: int = SEED) -> RunData:
    model = run_settings().model | {"image_size": image_size}
    return load(path, run_settings(dataset=dataset, model=model, seed=seed), CPU)


def stored(path: Path) -> dict[str, np.ndarray]:
    with open_stored(path, DATA) as file:
        return {dataset.name: file[dataset.name] for dataset in DATA.datasets}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_images(tmp_path / "c10.h5", channels=2)


@pytest.fixture
def loaded(path: Path) -> RunData:
    return load_run(path, dataset_settings())


def test_the_permutation_starts_with_training_and_ends_with_validation(path, loaded):
    order = np.random.RandomState(778).permutation(POOL)
    targets = stored(path)["train_targets"]
    np.testing.assert_array_equal(loaded.train.targets, targets[order[:40]])
    np.testing.assert_array_equal(loaded.val.targets, targets[order[-12:]])
    np.testing.assert_array_equal(loaded.test.targets, stored(path)["test_targets"])
    assert (loaded.num_classes, loaded.name) == (3, "digits")


def test_images_are_centred_by_the_mean_image_and_divided_by_one_number(path, loaded):
    """The number is the standard deviation of all training values before centring."""
    arrays = stored(path)
    order = np.random.RandomState(778).permutation(POOL)
    train = arrays["train_inputs"][order[:40]] / 255
    mean, std = train.mean(axis=0), train.std()
    assert abs(std - (train - mean).std()) > 0.01  # these images distinguish the two
    np.testing.assert_allclose(loaded.train.inputs, (train - mean) / std, atol=ROUNDING)
    np.testing.assert_allclose(
        loaded.val.inputs, (arrays["train_inputs"][order[-12:]] / 255 - mean) / std, atol=ROUNDING
    )
    np.testing.assert_allclose(loaded.test.inputs, (arrays["test_inputs"] / 255 - mean) / std, atol=ROUNDING)
    assert loaded.train.inputs.dtype == torch.float32
    assert loaded.train.targets.dtype == torch.int64


def test_nothing_of_validation_and_test_reaches_the_training_images(path, loaded, tmp_path):
    arrays = stored(path)
    order = np.random.RandomState(778).permutation(POOL)
    for name, rows in (("train_inputs", order[40:]), ("test_inputs", slice(None))):
        arrays[name][rows] = 255 - arrays[name][rows]
    with open_stored(path, DATA) as file:
        write_stored(tmp_path / "other.h5", DATA, arrays, {name: file.attributes[name] for name in DATA.attributes})
    other = load_run(tmp_path / "other.h5", dataset_settings())
    assert torch.equal(other.train.inputs, loaded.train.inputs)
    assert not torch.equal(other.val.inputs, loaded.val.inputs)
    assert not torch.equal(other.test.inputs, loaded.test.inputs)


def test_the_split_changes_with_the_seed_alone(path, loaded):
    again = load_run(path, dataset_settings())
    other = load_run(path, dataset_settings(), seed=779)
    assert torch.equal(again.train.inputs, loaded.train.inputs)
    assert not torch.equal(other.train.inputs, loaded.train.inputs)


def test_fewer_test_examples_are_the_first(path):
    data = load_run(path, dataset_settings(test=5))
    np.testing.assert_array_equal(data.test.targets, stored(path)["test_targets"][:5])
    assert len(data.test) == len(data.test.inputs) == 5


def test_images_are_enlarged_bilinearly_before_they_are_centred(path):
    """At twice the side, a new pixel is a quarter of an old one from its nearest old centre, and edges repeat."""
    data = load_run(path, dataset_settings(), image_size=16)

    def twice(images: np.ndarray) -> np.ndarray:
        for axis in (2, 3):
            padded = np.concatenate([images.take([0], axis), images, images.take([-1], axis)], axis)  # edges repeat
            n = images.shape[axis]
            old, before, after = (padded.take(range(s, n + s), axis) for s in (1, 0, 2))
            pairs = np.stack([0.75 * old + 0.25 * before, 0.75 * old + 0.25 * after], axis + 1)
            images = pairs.reshape(*images.shape[:axis], 2 * n, *images.shape[axis + 1 :])
        return images

    order = np.random.RandomState(778).permutation(POOL)
    pool = twice(stored(path)["train_inputs"] / 255)
    mean, std = pool[order[:40]].mean(axis=0), pool[order[:40]].std()
    np.testing.assert_allclose(data.train.inputs, (pool[order[:40]] - mean) / std, atol=ROUNDING)
    np.testing.assert_allclose(data.val.inputs, (pool[order[-12:]] - mean) / std, atol=ROUNDING)


def test_images_of_the_right_size_are_not_resized(path, loaded):
    same = load_run(path, dataset_settings(), image_size=8)
    assert torch.equal(same.train.inputs, loaded.train.inputs)


# --- full batch


def load_full_batch(path: Path, **changes: object) -> RunData:
    return load(path, full_batch_settings(seed=SEED, **changes), CPU)


def test_every_update_of_a_full_batch_sees_the_first_images(path, loaded):
    """All twelve, at every update, and no others; they are the run's training set."""
    full = load_full_batch(path)
    assert torch.equal(full.train.inputs, loaded.train.inputs[:12])
    assert torch.equal(full.train.targets, loaded.train.targets[:12])
    target = sorted(loaded.train.inputs[:12].flatten(1).tolist())
    for iteration in range(7):
        batch = full.stream.batch(iteration)
        assert sorted(batch.inputs.flatten(1).tolist()) == target
        assert sorted(batch.targets.tolist()) == sorted(loaded.train.targets[:12].tolist())
    assert sorted(full.stream.sample("hessian", 0, 12).inputs.flatten(1).tolist()) == target


def test_a_full_batch_is_scaled_by_the_whole_training_set(path):
    """Mean image and deviation are those of all 40; validation and test images stay whole."""
    arrays = stored(path)
    order = np.random.RandomState(778).permutation(POOL)
    train = arrays["train_inputs"][order[:40]] / 255
    full = load_full_batch(path)
    np.testing.assert_allclose(full.train.inputs, ((train - train.mean(axis=0)) / train.std())[:12], atol=ROUNDING)
    assert abs(train[:12].std() - train.std()) > 1e-3  # these images distinguish the two
    assert (len(full.val), len(full.test)) == (12, 21)


def test_epochs_of_a_full_batch_are_those_of_the_whole_training_set():
    """40 images in batches of 12: three updates, as for other runs (inventory, Fig. 3)."""
    settings = full_batch_settings()
    assert (settings.steps_per_epoch, settings.num_iterations) == (3, 12)


@pytest.mark.parametrize("augmentation", [{"flip": True}, {"shift": 0.1}], ids=["flips", "shifts"])
def test_augmentation_of_a_full_batch_is_refused(augmentation):
    with pytest.raises(ValidationError, match="a full batch is the same at every update; use images without"):
        full_batch_settings(dataset=dataset_settings(**augmentation))


def test_a_full_batch_of_words_is_refused():
    with pytest.raises(ValidationError, match="a full batch is the same at every update; use images without"):
        lstm_settings(full_batch=True)


@pytest.mark.parametrize("augmentation", [{}, {"flip": True, "shift": 0.1}], ids=["as they are", "augmented"])
def test_a_batch_size_above_the_training_set_gives_all_of_it(path, augmentation):
    settings = run_settings(batch_size=100, seed=SEED, dataset=dataset_settings(**augmentation))
    data = load(path, settings, CPU)
    assert settings.steps_per_epoch == 1
    for iteration in range(3):
        batch = data.stream.batch(iteration)
        assert len(batch.inputs) == 40
        assert sorted(batch.targets.tolist()) == sorted(data.train.targets.tolist())


def test_another_source_is_refused(path):
    with pytest.raises(DataError, match=r"c10\.h5: holds digits, expected cifar-10; delete it and run snakemake again"):
        load_run(path, dataset_settings(source="cifar-10"))


def test_first_takes_at_most_all_examples(loaded):
    assert torch.equal(loaded.train.first(3).inputs, loaded.train.inputs[:3])
    assert torch.equal(loaded.train.first(3).targets, loaded.train.targets[:3])
    assert len(loaded.train.first(1000)) == 40
