"""Settings of runs and measurements at each scale: typed, validated, without torch."""
