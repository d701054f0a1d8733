"""Training and validation accuracy over training (Fig. 14)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sharpest.config.studies.learning_curves import LearningCurves
from sharpest.figures.accuracy import SERIES, accuracy_panel
from sharpest.figures.files import FigureFiles
from sharpest.figures.style import (
    PANEL_HEIGHT,
    PANEL_WIDTH,
    PlottedPoints,
    add_foot,
    divergence,
    divergence_line,
    new_figure,
    styled,
)
from sharpest.measures.spectra import SPECTRUM
from sharpest.results.file import open_stored


@styled
def draw(study: LearningCurves, files: FigureFiles, foot: str) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel for each run.

    Args:
        study: What to draw.
        files: Spectrum files, and as windows the epochs drawn, where None is the whole run.
        foot: What was replaced or reduced.

    Returns:
        The figure, and its points with columns panel, series, run, x, y.

    Source: Fig. 14; inventory, Figure 14.
    """
    figure = new_figure(len(study.panels) * 1.25 * PANEL_WIDTH, PANEL_HEIGHT + 0.3)
    points = PlottedPoints()
    all_axes = figure.subplots(1, len(study.panels), squeeze=False)[0]
    diverged = {}
    for axes, curve, path, window in zip(all_axes, study.panels, files.spectra, files.windows, strict=True):
        with open_stored(path, SPECTRUM) as spectrum:
            diverged[curve.label] = divergence(spectrum.attributes)
            drawn = spectrum["epoch"] <= (np.inf if window is None else window)
            accuracies = {name: spectrum[f"{name}_accuracy"][drawn] for name in SERIES}
            accuracy_panel(axes, curve.label, curve, points, spectrum["epoch"][drawn], accuracies)
    add_foot(figure, divergence_line(diverged), foot)
    return figure, points.table()
