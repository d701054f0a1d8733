"""The report: one self-contained page with the paper's claims and the measurements."""
