"""The base of all settings."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Unknown keys are refused, and settings do not change after they are read."""

    # fields are described by the string below them, which the code fingerprint leaves out as it does docstrings
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
