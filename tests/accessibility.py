"""Accessibility violations of an open page, by axe-core's rules."""

from typing import Any

import pytest


def serious_violations(page: Any) -> list[str]:
    """Serious and critical violations, each with its rule and the first offending element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]
