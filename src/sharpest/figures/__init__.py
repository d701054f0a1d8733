"""Drawing, one module per kind of figure. A figure reads results; it neither measures nor trains."""
