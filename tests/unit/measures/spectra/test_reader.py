"""Spectra under the field's names."""

from pathlib import Path

import numpy as np
import pytest
from results_folder import ResultsFolder

from sharpest.measures.spectra import Spectra

EIGENVALUES = np.array([[3.0, 1.0, -4.0], [0.5, 0.25, -0.125]])
CONVERGED = np.array([[True, True, False], [True, False, True]])


@pytest.fixture
def spectra(tmp_path: Path) -> Spectra:
    folder = ResultsFolder(tmp_path)
    sizes = {"t": 2, "k": 3, "v": 0, "p": 365}
    arrays = {"iteration": [0, 5], "eigenvalues": EIGENVALUES, "converged": CONVERGED, "residuals": EIGENVALUES / 100}
    folder.write_measure("spectra", "run", "step", sizes, arrays)
    return folder.results["run"].spectra("step")


def test_the_largest_signed_eigenvalue_comes_first(spectra: Spectra) -> None:
    assert spectra.lambda_max.tolist() == [3, 0.5]


def test_the_norm_counts_all_of_either_sign(spectra: Spectra) -> None:
    np.testing.assert_allclose(spectra.frobenius, [np.sqrt(26), np.sqrt(0.25 + 0.0625 + 0.015625)], rtol=1e-15)


def test_eigenvalues_residuals_and_flags(spectra: Spectra) -> None:
    np.testing.assert_array_equal(spectra.eigenvalues, EIGENVALUES)
    np.testing.assert_array_equal(spectra.converged, CONVERGED)
    np.testing.assert_array_equal(spectra.residuals, EIGENVALUES / 100)


def test_the_number_of_parameters_is_known_without_vectors(spectra: Spectra) -> None:
    assert spectra.num_parameters == 365
    assert spectra.rows(np.array([1])).num_parameters == 365
