"""What a scale will cost before it runs: ``python -m sharpest.pipeline.forecast --scale paper``."""
