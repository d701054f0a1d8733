"""A study of any kind."""

from typing import Annotated

from pydantic import Field

from sharpest.config.studies.alignment import Alignment
from sharpest.config.studies.edge_test import EdgeTestStudy
from sharpest.config.studies.eigenvector_drift import EigenvectorDrift
from sharpest.config.studies.end_points import EndPoints
from sharpest.config.studies.first_stage import FirstStage
from sharpest.config.studies.full_batch_edge import FullBatchEdge
from sharpest.config.studies.largest_eigenvalues import LargestEigenvalues
from sharpest.config.studies.learning_curves import LearningCurves
from sharpest.config.studies.measured import MeasuredCurves
from sharpest.config.studies.nsgd_curves import NsgdCurves
from sharpest.config.studies.phase_diagram import PhaseDiagram
from sharpest.config.studies.restricted_steps import RestrictedSteps
from sharpest.config.studies.spectral_density import SpectralDensity
from sharpest.config.studies.spectrum_evolution import SpectrumEvolution
from sharpest.config.studies.step_surface import StepSurface

AnyStudy = Annotated[
    SpectrumEvolution
    | LargestEigenvalues
    | Alignment
    | StepSurface
    | RestrictedSteps
    | FirstStage
    | LearningCurves
    | NsgdCurves
    | EndPoints
    | MeasuredCurves
    | FullBatchEdge
    | PhaseDiagram
    | SpectralDensity
    | EigenvectorDrift
    | EdgeTestStudy,
    Field(discriminator="kind"),
]
