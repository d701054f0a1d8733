"""Pages of the site from outside this folder: the README, the changelog, the ledger, notebooks, and two diagrams.

They are made from their source files when the site is built, so nothing is written twice.
"""

from __future__ import annotations

import csv
import posixpath
import re
import sys
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))  # mkdocs loads only the hook itself

from diagrams import imports, rules  # noqa: E402
from notebook_pages import notebook_page  # noqa: E402

NOTEBOOKS = {f"notebooks/{path.name}": f"notebooks/{path.stem}.md" for path in (ROOT / "notebooks").glob("*.ipynb")}
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"} | NOTEBOOKS
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and pictures made from files outside this folder."""
    made: dict[str, str | bytes] = {
        page: (ROOT / source).read_text(encoding="utf-8") for source, page in PAGES.items() if source not in NOTEBOOKS
    }
    for source, page in NOTEBOOKS.items():
        made[page], pictures = notebook_page(ROOT / source)
        made |= {f"notebooks/{name}": picture for name, picture in pictures.items()}
    made["ledger.md"] = _ledger()
    made["images/rooms.svg"], made["images/rules.svg"] = imports(), rules(ROOT)
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links at pages of the site; replace links to other files of the repository by their paths."""
    uri = page.file.src_uri
    source = next((name for name, made in PAGES.items() if made == uri), f"docs/{uri}")
    return _LINK.sub(lambda link: _on_site(link, source, uri), markdown)


def _on_site(link: re.Match[str], source: str, uri: str) -> str:
    image, text, target = link.groups()
    path, _, anchor = target.partition("#")
    if not path or "://" in target or target.startswith("mailto:"):
        return link[0]
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if (page := PAGES.get(inside) or (inside.removeprefix("docs/") if inside.startswith("docs/") else None)) is None:
        if not (ROOT / inside).exists():
            raise ValueError(f"{source}: links to {target}, which does not exist")
        return f"`{inside}`" if inside.rstrip("/") == text.strip("`/") else f"{text} (`{inside}`)"
    relative = posixpath.relpath(page, posixpath.dirname(uri) or ".")
    return f"{image}[{text}]({relative}{'#' + anchor if anchor else ''})"


def _ledger() -> str:
    """A searchable table of every claim, with its verdict at each scale in the gallery."""
    kept = {folder.name.removeprefix("claims-"): _verdicts(folder / "claims.csv") for folder in _kept_scales()}
    tables = [ROOT / "config/claims.csv", *sorted((ROOT / "config/claims").glob("*.csv"))]
    rows = [row for table in tables for row in csv.DictReader(table.open(encoding="utf-8-sig"))]
    head = ["Claim", "Statement", "Expected", "Source", *(f"At {scale}" for scale in kept)]
    lines = [f"<tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>"]
    for row in rows:
        cells = [f"<code>{row['id']}</code>", *(escape(row[key]) for key in ("statement", "expected", "source"))]
        cells += [verdicts.get(row["id"], "").replace("_", " ") for verdicts in kept.values()]
        lines.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return (
        f"# Every claim\n\n{len(rows)} claims of the paper and of later ones. How a verdict is reached: "
        "[Verdicts](claims.md). To filter, type words of a claim, the name of a figure, or a verdict.\n\n"
        '<p><input class="filter" type="search" aria-label="Search the claims" placeholder="fig6 fails"> '
        f'<span class="filter-count">{len(rows)} of {len(rows)}</span></p>\n\n'
        f"<table><thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table>\n"
    )


def _kept_scales() -> list[Path]:
    return sorted((ROOT / "docs/gallery").glob("claims-*"))


def _verdicts(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8") as file:
        return {row["id"]: row["verdict"] for row in csv.DictReader(file)}
