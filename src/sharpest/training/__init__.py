"""Training of one run, and its states at any iteration by replay. Knows no study."""
