"""Settings of each architecture, one module each, so that a new one leaves the code of the others alone."""
