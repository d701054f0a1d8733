"""Build tables from results, one module per kind, and print them next to the paper's numbers."""
