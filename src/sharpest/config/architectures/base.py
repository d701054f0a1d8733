"""Settings that all architectures have."""

from pydantic import Field, PositiveFloat

from sharpest.config.strict import Strict


class Architecture(Strict):
    """Base of the settings of a net."""

    init_scale: PositiveFloat = Field(default=1)
    """Multiplies the initial kernels: the arrays of two or more dimensions."""
