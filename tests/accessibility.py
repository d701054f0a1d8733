"""Accessibility violations of an open page, by axe-core's rules."""

from typing import Any

import pytest


def serious_violations(page: Any) -> list[str]:
    """Serious and critical violations, each with its rule and the first offending element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    response = axe.Axe().run(page).response
    return [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
