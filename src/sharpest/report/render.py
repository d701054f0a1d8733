"""Render the page as HTML from a template, with styles and scripts inlined."""

import hashlib
import math
from importlib.resources import files
from importlib.resources.abc import Traversable

from jinja2 import BaseLoader, Environment, StrictUndefined
from markupsafe import Markup

from sharpest.claims.ledger import VERDICTS
from sharpest.report.page import Page

_FOLDER = files("sharpest.report")
_TEMPLATE = "page.html.jinja"
_STYLES = ("vendor/uplot/uPlot.min.css", "page.css")
_SCRIPTS = ("vendor/uplot/uPlot.iife.min.js", "page.js")
_LICENCE = "vendor/uplot/LICENSE"


def render(page: Page) -> str:
    """The whole page; all text from files is escaped."""
    environment = Environment(
        loader=BaseLoader(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "words": words, "trimmed": trimmed}
    environment.tests["missing"] = math.isnan
    return environment.from_string(_read(_TEMPLATE)).render(
        page=page,
        verdicts=VERDICTS,
        styles=Markup("\n".join(map(_read, _STYLES))),  # noqa: S704 - our own files, not text from results
        scripts=Markup("\n".join(map(_read, _SCRIPTS))),  # noqa: S704 - likewise
        licence=_read(_LICENCE),
    )


def assets_digest() -> str:
    """Sixteen hex digits that change with template, styles and scripts; a parameter of the rule."""
    digest = hashlib.sha256()
    for name in (_TEMPLATE, *_STYLES, *_SCRIPTS, _LICENCE):
        digest.update(_read(name).encode())
    return digest.hexdigest()[:16]


def _read(name: str) -> str:
    path: Traversable = _FOLDER.joinpath(name)
    return path.read_text(encoding="utf-8")


def number(value: float, digits: int = 3) -> str:
    """A number for display, with this many significant digits; a missing number is a dash."""
    if math.isnan(value):
        return "–"
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{decimals}f}".replace("-", "−")


def trimmed(text: str) -> str:
    """A number without trailing zeros: ``87.3`` for ``87.30``."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def words(text: str, digits: int = 3) -> str:
    """Format a text as ``number`` does if it is a number; return other text unchanged."""
    try:
        return trimmed(number(float(text), digits))
    except ValueError:
        return text
