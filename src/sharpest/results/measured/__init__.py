"""Layouts written both by the pipeline and by the monitor of a user's training loop; one module each."""
