"""What a scale will cost before it runs: ``python -m sharpest.forecast --scale paper``."""
