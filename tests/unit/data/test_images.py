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


def test_images_are_split_by_the_seed_centred_by_the_mean_image_and_divided_by_one_number(path, loaded):
    """The number is the standard deviation of all training values before centring; fewer test examples are the first.

    The permutation starts with training and ends with validation.
    """
    arrays = stored(path)
    order = np.random.RandomState(778).permutation(POOL)
    parts = {"train": ("train", order[:40]), "val": ("train", order[-12:]), "test": ("test", slice(None))}
    train = arrays["train_inputs"][order[:40]] / 255
    mean, std = train.mean(axis=0), train.std()
    assert abs(std - (train - mean).std()) > 0.01  # these images distinguish the two
    for name, (file, rows) in parts.items():
        split = getattr(loaded, name)
        np.testing.assert_allclose(split.inputs, (arrays[f"{file}_inputs"][rows] / 255 - mean) / std, atol=ROUNDING)
        np.testing.assert_array_equal(split.targets, arrays[f"{file}_targets"][rows])
        assert (split.inputs.dtype, split.targets.dtype) == (torch.float32, torch.int64)
    assert (loaded.num_classes, loaded.name) == (3, "digits")
    same = load_run(path, dataset_settings(test=5), image_size=8)  # images of the right size are not resized
    assert torch.equal(same.train.inputs, loaded.train.inputs)
    np.testing.assert_array_equal(same.test.targets, arrays["test_targets"][:5])
    assert len(same.test.first(1000)) == len(same.test.inputs) == 5
    assert not torch.equal(load_run(path, dataset_settings(), seed=779).train.inputs, loaded.train.inputs)


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


def test_a_full_batch_is_the_first_images_at_every_update_scaled_by_the_whole_training_set(path, loaded):
    """All twelve, and no others; they are the run's training set. Validation and test images stay whole."""
    settings = full_batch_settings(seed=SEED)
    full = load(path, settings, CPU)
    assert (settings.steps_per_epoch, settings.num_iterations) == (3, 12)  # 40 images, as for other runs
    assert torch.equal(full.train.inputs, loaded.train.inputs[:12])
    assert torch.equal(full.train.targets, loaded.train.targets[:12])
    target = sorted(loaded.train.inputs[:12].flatten(1).tolist())
    for batch in (full.stream.batch(0), full.stream.batch(6), full.stream.sample("hessian", 0, 12)):
        assert sorted(batch.inputs.flatten(1).tolist()) == target
        assert sorted(batch.targets.tolist()) == sorted(loaded.train.targets[:12].tolist())
    assert (len(full.val), len(full.test)) == (12, 21)


@pytest.mark.parametrize("augmentation", [{"flip": True}, {"shift": 0.1}], ids=["flips", "shifts"])
def test_a_full_batch_that_is_not_the_same_at_every_update_is_refused(augmentation):
    with pytest.raises(ValidationError, match="a full batch is the same at every update; use images without"):
        full_batch_settings(dataset=dataset_settings(**augmentation))
    with pytest.raises(ValidationError, match="a full batch is the same at every update; use images without"):
        lstm_settings(full_batch=True)


def test_another_source_is_refused(path):
    with pytest.raises(DataError, match=r"c10\.h5: holds digits, expected cifar-10; delete it and run snakemake again"):
        load_run(path, dataset_settings(source="cifar-10"))


@pytest.mark.parametrize("shift", [-0.1, 0.6])
def test_a_shift_is_between_nothing_and_half_of_the_side(shift):
    with pytest.raises(ValidationError, match="shift"):
        dataset_settings(shift=shift)
