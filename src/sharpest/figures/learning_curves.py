"""Training and validation accuracy over training (Fig. 14)."""

import numpy as np
import pandas as pd

from sharpest.config.studies.learning_curves import LearningCurves
from sharpest.figures.accuracy import accuracy_panel
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import name_diverged, seeds_line
from sharpest.figures.style import (
    PANEL_HEIGHT,
    PANEL_WIDTH,
    NotedFigure,
    PlottedPoints,
    divergence_line,
    styled,
)
from sharpest.measures.spectra.reader import Spectra


@styled
def draw(study: LearningCurves, inputs: FigureInputs, foot: str) -> tuple[NotedFigure, pd.DataFrame]:
    """Draw one panel for each run.

    Args:
        study: The study to draw.
        inputs: Spectra, and as windows the epochs to draw (None = the whole run).
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y.

    Source: Fig. 14; inventory, Figure 14.
    """
    figure = NotedFigure(len(study.panels) * 1.25 * PANEL_WIDTH, PANEL_HEIGHT + 0.3)
    points = PlottedPoints()
    all_axes = figure.subplots(1, len(study.panels), squeeze=False)[0]
    diverged = {}
    for axes, curve in zip(all_axes, study.panels, strict=True):
        seeds, window = inputs.by_seed(Spectra, curve), inputs.window(curve)
        diverged[curve.label] = name_diverged({spectra.run: spectra.divergence for spectra in seeds})
        accuracy_panel(axes, curve.label, seeds, np.inf if window is None else window, points)
    figure.note(divergence_line(diverged), seeds_line(len(curve.by_seed()) for curve in study.panels), foot)
    return figure, points.table()
