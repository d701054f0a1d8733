"""How jobs run: frame, locks, fingerprints, stale results, cost forecasts, and the gallery of the docs."""
