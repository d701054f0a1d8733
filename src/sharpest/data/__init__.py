"""Data sets: where they come from, how they are decoded, split, centred and augmented."""
