"""Write the recorded gradients as a JavaScript module, for the underflow explorer in pages that fetch nothing.

    python tools/inline_gradients.py

Reads amp_helpers/static/gradients/*.json (written by tools/export_gradients.py), writes
amp_helpers/static/widgets/recorded_gradients.js: a line per recording.
"""

from __future__ import annotations

import json
from pathlib import Path

STATIC = Path(__file__).parents[1] / "amp_helpers" / "static"
MODULE = STATIC / "widgets" / "recorded_gradients.js"
HEAD = "// Recorded gradients of real models, by name. Written by tools/inline_gradients.py; do not edit.\n\n"


def module_text() -> str:
    """The text of the module."""
    lines = []
    for path in sorted((STATIC / "gradients").glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        lines.append(f"  {path.stem}: {json.dumps(data, separators=(',', ':'), ensure_ascii=False)},\n")
    return f"{HEAD}export const RECORDED = {{\n{''.join(lines)}}};\n"


if __name__ == "__main__":
    MODULE.write_text(module_text(), encoding="utf-8")
