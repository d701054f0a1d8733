"""Drawing, one module per kind of figure. A figure reads results files; it neither measures nor trains."""
