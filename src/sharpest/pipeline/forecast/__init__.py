"""Forecast the cost of a scale before it runs: hours, memory and disk space."""
