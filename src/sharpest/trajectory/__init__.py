"""A run in time: what it optimises, its states, one update, the end of an epoch, and replay."""
