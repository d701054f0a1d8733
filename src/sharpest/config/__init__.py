"""Settings of runs and measurements at each scale: typed, validated, without torch."""

from collections.abc import Mapping
from typing import Any


def architecture_module(settings: Mapping[str, Any]) -> str:
    """The module that holds an architecture, named by its ``kind``, or by its ``net`` for a user's own net.

    It is imported on demand, which keeps the code of an architecture out of the fingerprints of the others.
    """
    return f"sharpest.models.{settings['net'] if settings['kind'] == 'own' else settings['kind']}"
