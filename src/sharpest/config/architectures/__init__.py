"""Settings of each architecture, one module each, so that a new one leaves the code of the others alone."""

from collections.abc import Mapping
from typing import Any


def architecture_module(settings: Mapping[str, Any]) -> str:
    """The module that holds an architecture: its ``kind`` names it, or its ``net`` where it is the user's own.

    It is imported when it is needed, so that the code of one architecture is no part of another one's fingerprint.
    """
    return f"sharpest.models.{settings['net'] if settings['kind'] == 'own' else settings['kind']}"
