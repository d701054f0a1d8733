"""Checkpoints of other programs: read them, find the net in them, and store them as a run to measure."""
