"""Monitors within trainers of others: one module each, which needs that library and nothing else."""
