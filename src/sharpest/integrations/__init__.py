"""Monitors for the trainers of other libraries: one module each, which needs only that library."""
