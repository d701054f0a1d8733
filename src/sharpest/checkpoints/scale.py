"""The scale of an imported run: its configuration, as a file in config/scales."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE, MAX_PRODUCTS, EIGENPAIRS, GRADIENTS = 1e-3, 500, 5, 16

_TEXT = """\
# written by: sharpest import; change the measures and add figures as in docs/your-own.md
extends: quick
description: imported checkpoints

datasets:
  {data}: {{kind: imported, source: imported, batches: {batches}, train: {examples}, epoch: {epoch}}}
models:
  {model}: {{kind: imported, net: {net}, loss: {loss}}}
runs:
  {run}: {epochs}

for_runs:
  - runs: {run}
    set:
      lr_factor: 1
      batch_factor: 1
      epochs: {epochs}
      hessian:
        {{examples: {examples}, resample: false, chunk_size: {chunk}, tolerance: {tolerance}, max_products: {products}}}
      measures: {{spectra: {{accuracy_examples: {examples}}}, directions: {{loss_examples: {examples}}}}}

schedules:
  checkpoints:
    points: at iterations {iterations}
    measures:
      spectra: {{num_eigenpairs: {pairs}, accuracy_every: 1}}
      directions:
        indices: [1, 2, 0]
        num_gradients: 6
        alphas: [0.5, 1, 2]
        grid: [-4, -2, -1, -0.5, 0, 0.5, 1, 2, 4]
      gradient_sample: {{num_batches: {gradients}}}
      density: {{}}

studies:
  fig_sharpness:
    kind: measured
    caption: Sharpness of imported checkpoints.
    panels:
      - title: largest eigenvalue
        measure: spectra
        column: eigenvalues
        index: [0]
        x: iteration
        curves: [{{run: {run}, schedule: checkpoints, label: checkpoints}}]
      - title: batch sharpness
        measure: gradient_sample
        column: batch_sharpness
        error: batch_sharpness_error
        x: iteration
        curves: [{{run: {run}, schedule: checkpoints, label: checkpoints}}]
  fig_steps:
    kind: step_surface
    caption: As Fig. 6, for imported checkpoints.
    direction: 1
    alphas: [0.5, 1, 2]
    grid_limit: 4
    layout: row
    rows:
      - {{run: {run}, schedule: checkpoints, label: checkpoints, change_limit: 50}}
"""


@dataclass(frozen=True)
class Imported:
    """Settings of an imported run.

    Attributes:
        run: Id of the run.
        model, data: Names of model and data in the id.
        net, loss, batches: module:name of each.
        examples: Number of examples in all batches.
        batch_size: Examples per update.
        iterations: Iterations of the checkpoints, increasing.
        epoch: Updates per epoch; None = one pass over the batches.
    """

    run: str
    model: str
    data: str
    net: str
    loss: str
    batches: str
    examples: int
    batch_size: int
    iterations: Sequence[int]
    epoch: int | None

    @property
    def epochs(self) -> int:
        """Length of the run in epochs."""
        epoch = self.epoch or max(1, self.examples // self.batch_size)
        return max(1, math.ceil(self.iterations[-1] / epoch))

    def text(self) -> str:
        """The text of the file."""
        texts = {name: json.dumps(getattr(self, name)) for name in ("net", "loss", "batches", "epoch")}
        return _TEXT.format(
            **{**vars(self), **texts, "iterations": ", ".join(map(str, self.iterations))},
            epochs=self.epochs,
            chunk=self.batch_size,
            tolerance=TOLERANCE,
            products=MAX_PRODUCTS,
            pairs=EIGENPAIRS,
            gradients=GRADIENTS,
        )
