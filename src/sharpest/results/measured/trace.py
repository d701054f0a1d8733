"""Trace of the Hessian along training."""

from sharpest.results.layout import Dataset, measured_layout

TRACE = measured_layout(
    "trace",
    2,
    Dataset("trace", "f8", ("t",), "nats", "sum of all eigenvalues"),
    Dataset("trace_error", "f8", ("t",), "nats", "its standard error"),
)
