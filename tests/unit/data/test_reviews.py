"""Reviews cut and padded at the front, split by the seed, and shuffled for training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import run_settings

from sharpest.config.run import ReviewSettings, RunSettings
from sharpest.data.dataset import RunData, load_data
from sharpest.errors import DataError
from sharpest.results.datasets import REVIEWS
from sharpest.results.file import write_stored

# lengths 0, 3, 4 and 6; word ids from 4, 1 = start
REVIEWS_OF = [[], [1, 4, 5], [1, 9, 4, 6], [1, 4, 5, 6, 7, 11]]


def settings(**changes: object) -> RunSettings:
    values = {
        "kind": "reviews", "source": "generated-reviews", "train": 5, "val": 2, "test": 3, "length": 4, "vocabulary": 9,
    }  # fmt: skip
    model = {"kind": "text_cnn", "embedding": 3, "filters": 3, "hidden": 3, "dropout": 0.0}
    dataset = ReviewSettings(**{**values, **changes})
    return run_settings(dataset=dataset, dataset_name="imdb", model=model, batch_size=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A pool of eight reviews, whose class is their index, and four test reviews."""
    pool = REVIEWS_OF * 2
    facts = dict.fromkeys(REVIEWS.attributes, "") | {"dataset": "generated-reviews", "sha256": "x", "num_classes": 2}
    arrays = {}
    for part, reviews in (("train", pool), ("test", REVIEWS_OF)):
        arrays[f"{part}_tokens"] = np.concatenate([np.array(review, dtype=int) for review in reviews])
        arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, reviews)])
        arrays[f"{part}_targets"] = np.arange(len(reviews)) % 2
    write_stored(tmp_path / "imdb.h5", REVIEWS, arrays, facts)
    return tmp_path / "imdb.h5"


def load(path: Path, **changes: object) -> RunData:
    return load_data(path, settings(**changes), torch.device("cpu"))


def test_the_last_words_stay_and_rare_ones_are_unknown(path: Path) -> None:
    """Padding is 0 and comes first; word ids from the vocabulary size on become 2."""
    assert load(path, test=4).test.inputs.tolist() == [[0, 0, 0, 0], [0, 1, 4, 5], [1, 2, 4, 6], [5, 6, 7, 2]]
    assert load(path, test=4, length=7).test.inputs[3].tolist() == [0, 1, 4, 5, 6, 7, 2]


def test_the_seed_splits_the_pool(path: Path) -> None:
    data = load(path)
    order = np.random.RandomState(777).permutation(8)
    np.testing.assert_array_equal(data.train.targets, order[:5] % 2)
    np.testing.assert_array_equal(data.val.targets, order[-2:] % 2)
    assert data.test.targets.tolist() == [0, 1, 0]
    assert (data.input_shape, data.num_classes) == ((4, 9), 2)


def test_another_source_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match="holds generated-reviews, expected imdb; delete it"):
        load(path, source="imdb")
