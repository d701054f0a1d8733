"""The report: one self-contained page with what the paper says and what was measured."""
