"""What a scale will take before it runs: hours, memory and gigabytes."""
