"""Finished figures and tables of a scale, kept beside the docs with what they cost and which claims they bear out."""
