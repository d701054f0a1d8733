"""The paper's claims, each judged on the measured files. Knows nothing of torch."""
