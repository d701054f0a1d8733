"""What the SGD step does along the sharpest directions."""
