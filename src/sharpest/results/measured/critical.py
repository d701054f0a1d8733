"""Critical and directional sharpness of updates along training."""

from sharpest.results.layout import Dataset, measured_layout

_OUTCOMES = (
    "0 = found, 1 = no step raises the loss, 2 = no step lowers it, 3 = all changes are within rounding, 4 = the loss "
    "is not finite"
)

CRITICAL = measured_layout(
    "critical",
    2,
    Dataset("critical_lr", "f8", ("t",), "", "eta_c, mean of batch_lr over the updates where it was found"),
    Dataset(
        "critical_lr_error", "f8", ("t",), "",
        "standard error over two updates or more; of one, half of the bracket",
    ),
    Dataset("critical_sharpness", "f8", ("t",), "nats", "2 / eta_c"),
    Dataset("critical_ratio", "f8", ("t",), "", "eta_c / eta: the multiple of the step that starts to raise L_B"),
    Dataset("directional_sharpness", "f8", ("t",), "nats", "mean of D.H_B D / D.g_B"),
    Dataset("critical_lr_full", "f8", ("t",), "", "as critical_lr, of the loss on the Hessian examples"),
    Dataset("critical_lr_full_error", "f8", ("t",), "", "as critical_lr_error"),
    Dataset("critical_ratio_full", "f8", ("t",), "", "critical_lr_full / eta"),
    Dataset("num_found", "i8", ("t",), "updates", "those where eta_c was found"),
    Dataset("num_found_full", "i8", ("t",), "updates", "the same on the Hessian examples"),
    Dataset("forwards", "i8", ("t",), "passes", "of the batches"),
    Dataset("forwards_full", "i8", ("t",), "passes", "of the Hessian examples"),
    Dataset("batch_lr", "f8", ("t", "m"), "", "min{eta > 0: L_B(theta - eta D) > L_B(theta)}, D the update / -lr"),
    Dataset("batch_outcome", "i8", ("t", "m"), "", _OUTCOMES),
    Dataset("batch_sharpness", "f8", ("t", "m"), "nats", "D.H_B D / D.g_B"),
    Dataset("full_lr", "f8", ("t", "m"), "", "as batch_lr, of the loss on the Hessian examples, with the same D"),
    Dataset("full_outcome", "i8", ("t", "m"), "", _OUTCOMES),
)  # fmt: skip
