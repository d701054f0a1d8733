"""The drift of eigenvectors, compared with NumPy, and on vectors with known overlaps."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sharpest.config.studies import Curve, EigenvectorDrift
from sharpest.figures.moments import eigenvector_drift as draw

A = Curve(run="run-a", schedule="step", label="A")
SIZES = {"first": 35, "last": 15}


def _study(**changes: Any) -> EigenvectorDrift:
    values = {"kind": "eigenvector_drift", "caption": "", "rows": (A,), "num_eigenvectors": 2}
    return EigenvectorDrift(**{**values, **changes})


@pytest.fixture
def vectors() -> np.ndarray:
    """(8, 3, 50), random."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(8, 50, 3)))[0].transpose(0, 2, 1).astype("f4")


def _table(folder: Any, vectors: np.ndarray, study: EigenvectorDrift | None = None, **arrays: Any) -> pd.DataFrame:
    folder.spectra(A, eigenvectors=vectors, **arrays)
    folder.snapshots(A.run)
    return draw(study or _study(), folder.inputs(), "")[1]


def _y(table: pd.DataFrame, series: str, panel: str = "") -> np.ndarray:
    return table.loc[(table["series"] == series) & table["panel"].str.contains(panel, regex=False), "y"].to_numpy()


def test_cosines_of_all_pairs_of_points(folder: Any, vectors: np.ndarray) -> None:
    table = _table(folder, vectors)
    rows = table[table["series"] == "cosine"]
    first = vectors[:, 0].astype(float)
    np.testing.assert_allclose(rows["z"], np.abs(first @ first.T).ravel(), atol=1e-6)
    assert rows["x"].tolist() == np.repeat(np.arange(8) / 2, 8).tolist()
    assert rows["y"].tolist() == np.tile(np.arange(8) / 2, 8).tolist()


def test_overlaps_are_mean_squared_cosines_of_principal_angles(folder: Any, vectors: np.ndarray) -> None:
    table = _table(folder, vectors)

    def overlap(one: np.ndarray, other: np.ndarray) -> float:
        cosines = np.linalg.svd(one[:2].astype(float) @ other[:2].astype(float).T, compute_uv=False)
        return float((cosines**2).mean())

    before = [overlap(vectors[t], vectors[t - 1]) for t in range(1, 8)]
    np.testing.assert_allclose(_y(table, "with the point before"), before, rtol=1e-5)
    first = [overlap(vectors[t], vectors[0]) for t in range(1, 8)]
    np.testing.assert_allclose(_y(table, "with the first point"), first, rtol=1e-5)
    assert np.allclose(_y(table, "random", "overlap"), 2 / 50)


def test_a_subspace_that_turns_within_itself_stays(folder: Any) -> None:
    """The first two vectors rotate by 30 degrees per point, and the second leaves the subspace at the last point."""
    vectors = np.zeros((8, 3, 50), dtype="f4")
    angle = np.pi / 6 * np.arange(8)
    vectors[:, 0, 0] = vectors[:, 1, 1] = np.cos(angle)
    vectors[:, 0, 1], vectors[:, 1, 0] = np.sin(angle), -np.sin(angle)
    vectors[7, 1] = np.eye(50)[9]
    table = _table(folder, vectors)
    np.testing.assert_allclose(_y(table, "with the first point"), [1] * 6 + [0.5], atol=1e-6)
    cosine = table.loc[(table["series"] == "cosine") & (table["x"] == 0), "z"]
    np.testing.assert_allclose(cosine, np.abs(np.cos(angle)), atol=1e-6)


def test_parameters_that_take_part(folder: Any, vectors: np.ndarray) -> None:
    """All of them, one, and as many as in a random vector."""
    vectors[0, 0], vectors[1, 0] = 50**-0.5, np.eye(50)[3]
    table = _table(folder, vectors)
    actual = _y(table, "e_1", "participation")
    np.testing.assert_allclose(actual[:2], [1, 1 / 50], rtol=1e-5)
    np.testing.assert_allclose(actual[2:], 1 / (50 * (vectors[2:, 0].astype(float) ** 4).sum(axis=1)), rtol=1e-5)
    many = np.random.default_rng(1).normal(size=(20_000, 50))
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    null = 1 / (50 * (many**4).sum(axis=1).mean())
    assert _y(table, "random", "participation")[0] == pytest.approx(null, rel=5e-3)
    np.testing.assert_allclose(_y(table, "e_2"), 1 / (50 * (vectors[:, 1].astype(float) ** 4).sum(axis=1)), rtol=1e-5)


def test_shares_of_the_layers(folder: Any, vectors: np.ndarray) -> None:
    """Kernel and bias of a layer count together; the peak is that of the eigenvalue."""
    eigenvalues = np.array([1, 2, 3, 9, 3, 2, 1, 1.0])[:, None] * [3.0, 2.0, 1.0]
    table = _table(folder, vectors, eigenvalues=eigenvalues)
    for moment, row in (("start", 0), ("peak", 3), ("end", 7)):
        squares = vectors[row, 0].astype(float) ** 2
        np.testing.assert_allclose(_y(table, moment), [squares[:35].sum(), squares[35:].sum()], rtol=1e-5)
    assert _y(table, "parameters").tolist() == [0.7, 0.3]


def test_points_without_finite_eigenvalues_are_left_out(folder: Any, vectors: np.ndarray) -> None:
    eigenvalues = np.tile([3.0, 2.0, 1.0], (8, 1))
    eigenvalues[5:] = np.nan
    table = _table(folder, vectors, eigenvalues=eigenvalues)
    assert table.loc[table["series"] == "e_1", "x"].max() == 2
