"""What is measured along a run, one folder each, and the driver that serves all of them."""
