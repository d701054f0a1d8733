"""Pages of the site from notebooks: their text, code, and the outputs that are kept in the files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its pictures by file name.

    Args:
        path: The notebook; pictures go beside the page.
    """
    parts, pictures = [], dict[str, bytes]()
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```{'bash' if text.startswith('%%bash') else 'python'}\n{text}\n```")
        for output in cell["outputs"]:
            if (picture := output.get("data", {}).get("image/png")) is not None:
                name = f"{path.stem}-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode("".join(picture))
                parts.append(f'<img src="{name}" alt="Figure {len(pictures)}">')
            else:
                parts.append(f"```text\n{_text(output)}\n```")
    return "\n\n".join(parts) + "\n", pictures


def _text(output: dict[str, Any]) -> str:
    lines = output["text"] if "text" in output else output["data"]["text/plain"]
    return "".join(lines).rstrip()
