"""How jobs run: their frame, locks and fingerprints; what is stale, what a scale costs; what the docs keep of it."""
