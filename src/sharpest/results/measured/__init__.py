"""The layouts that are written along a run of the pipeline and along a training loop of one's own; one module each."""
