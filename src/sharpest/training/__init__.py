"""Train a run to its end: output files, recovery after kills."""
