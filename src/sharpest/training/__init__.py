"""Training a run to its end: files, kills, resuming."""
