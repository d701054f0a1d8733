"""Draw figures from results, one module per kind of figure."""
