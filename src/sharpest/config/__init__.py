"""What is run and measured, at which scale: typed, validated, free of torch."""
