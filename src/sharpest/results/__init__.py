"""Results: the layout of each kind of file, writing and reading them, and where they are."""
