"""Checkpoints of others: read them, find the net in them, and keep them as a run that is measured as any other."""
