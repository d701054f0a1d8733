"""A run over time: its objective, its states, one update, the end of an epoch, and replay."""
