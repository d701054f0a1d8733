"""The measures that can be taken along a run, one folder each, and the driver that runs all of them."""
