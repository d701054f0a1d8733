"""Results files: HDF5 layouts, one module each, and their reader and writer. Knows nothing of torch."""
