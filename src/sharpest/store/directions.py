"""What the step does along directions."""

from sharpest.store.layout import PROVENANCE, Dataset, Layout

DIRECTIONS = Layout(
    "directions",
    2,
    (
        Dataset("iteration", "i8", ("t",), "updates", "completed updates at the measurement"),
        Dataset("epoch", "f8", ("t",), "epochs", "iteration over steps per epoch"),
        Dataset("direction", "i8", ("d",), "", "1-based eigenvector; 0 = the full step, -1 = a random unit vector"),
        Dataset("projection", "f8", ("t", "m", "d"), "", "<g_m, e_i>; |g_m| for the full step"),
        Dataset("gradient_norm", "f8", ("t", "m"), "", "|g_m|"),
        Dataset("alphas", "f8", ("a",), "", "multiples of the SGD step"),
        Dataset("loss", "f8", ("t",), "nats", "L(theta) on clean training examples"),
        Dataset("loss_change", "f8", ("t", "d", "a"), "nats",
                "mean over m of L(theta - alpha eta <g_m,e_i> e_i), minus L(theta)"),
        Dataset("grid", "f8", ("g",), "mean steps", "k"),
        Dataset("step_length", "f8", ("t", "d"), "", "eta times mean |<g_m, e_i>|"),
        Dataset("profile", "f8", ("t", "d", "g"), "nats",
                "L(theta + k step_length e_i); along the mean gradient for the full step"),
        Dataset("cosine", "f8", ("t", "d"), "", "mean over m of |cos(g_m, e_i)|"),
    ),
    ("run", "schedule", "lr", "measurement", "mode", "replays_checked", "replay_drift", *PROVENANCE),
)  # fmt: skip
