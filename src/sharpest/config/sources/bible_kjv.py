"""The King James Bible."""

from sharpest.config.sources.base import TokenSource

SOURCE = TokenSource(num_train=741_779, num_val=39_065, num_test=39_942, num_types=12_272, title="King James Bible")
