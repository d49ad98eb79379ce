"""Write autocast's policy of the installed torch to amp_helpers/static/policy/torch-VERSION.json.

    python tools/export_policy.py

Run once per torch version, so that a page can show what changed. An existing file of the same version is replaced.
"""

from __future__ import annotations

import json
from pathlib import Path

from amp_helpers.policy import export_policies
from amp_helpers.policy.versions import FOLDER


def text() -> str:
    """The file's content: sorted, without spaces, the same bytes every time."""
    return json.dumps(export_policies(), sort_keys=True, separators=(",", ":")) + "\n"


def write(folder: Path = FOLDER) -> Path:
    """Write the file into `folder` and return its path."""
    content = text()
    path = folder / f"torch-{json.loads(content)['torch']}.json"
    path.write_text(content, encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write())
