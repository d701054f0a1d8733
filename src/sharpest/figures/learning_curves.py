"""Training and validation accuracy over training (Fig. 14)."""

import numpy as np

from sharpest.config.studies.learning_curves import LearningCurves
from sharpest.figures.along import accuracy_panel
from sharpest.figures.canvas import Canvas, drawing
from sharpest.figures.inputs import FigureInputs
from sharpest.figures.over_seeds import name_diverged
from sharpest.measures.spectra import Spectra


@drawing
def draw(canvas: Canvas, study: LearningCurves, inputs: FigureInputs) -> None:
    """Draw one panel for each run, up to the end of its early window if it has one.

    Source: Fig. 14; inventory, Figure 14.
    """
    canvas.lay_out(1, len(study.panels), height=1.1)
    for curve in study.panels:
        seeds, window = inputs.by_seed(Spectra, curve), inputs.window(curve)
        canvas.diverged[curve.label] = name_diverged({spectra.run: spectra.divergence for spectra in seeds})
        accuracy_panel(canvas.panel(curve.label), seeds, np.inf if window is None else window)
    canvas.of_seeds(study.panels)
