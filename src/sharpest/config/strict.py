"""The base of all settings."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NewSeeds = Annotated[int, Field(strict=True, ge=0, le=1000)]
"""A number of new seeds; each is a run of its own, so the limit catches a slip of the keyboard."""


class Strict(BaseModel):
    """Settings that refuse unknown keys and cannot be changed after reading."""

    # a field is described by the string below it, which the code fingerprint leaves out like a docstring
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)
