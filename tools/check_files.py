"""Check files for what no test of their content would find: `python tools/check_files.py [files]`.

Whitespace, size, and addresses that must not be in the repository. Without arguments every file of the repository is
checked, that is what git tracks and what it does not ignore. A hook and tests/test_project_files.py use it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT, NOTEBOOK_LIMIT = 250_000, 600_000
#: Machines move; a path that begins at the root of one helps nobody. A registry's host would tie an install to it.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~$}<>*-])/(?:home|root|Users|work|workspace|mnt|tmp(?!/ipykernel)|private|opt/conda)/[\w.-]"
)
REGISTRY = re.compile(
    r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|npmjs|yarnpkg|npmmirror|anaconda|crates)\.(?:org|com|io)\b", re.IGNORECASE
)
CDN = re.compile(r"\b(?:[\w-]+\.)*(?:jsdelivr|unpkg|cdnjs|cloudflare|googleapis|esm)\.(?:net|com|sh)\b", re.IGNORECASE)
#: In a test, somebody's home folder is an example of what must be found.
EXAMPLE = re.compile(r"/(?:home|Users)/")
INDEX = re.compile(r"--(?:extra-)?index-url\b|--find-links\b")


def repository_files() -> list[Path]:
    """What git tracks or would track after `git add .`; in a downloaded archive, every file but the made ones."""
    if not (ROOT / ".git").exists():
        made = re.compile(
            r"(^|/)(\.venv|\.venv-colab|\.venv-tensorflow|_build|build|dist|[\w.-]+\.egg-info|\.[\w-]+_cache|__pycache__|\.hypothesis|\.ipynb_checkpoints)/"
        )
        return [
            path
            for path in sorted(ROOT.rglob("*"))
            if path.is_file() and not made.search(path.relative_to(ROOT).as_posix())
        ]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in sorted(set(listed.split("\0")) - {""}) if (ROOT / name).is_file()]


def problems(path: Path, text: str | None, size: int) -> list[str]:
    """Return what is wrong with one file.

    Args:
        path: decides which rules hold.
        text: its content, None for a binary file.
        size: in bytes.
    """
    found = []
    limit = NOTEBOOK_LIMIT if path.suffix == ".ipynb" else LIMIT
    if size > limit:
        found.append(f"{size} bytes, the limit is {limit}")
    if text is None:
        return found
    if "\r" in text:
        found.append("a carriage return: lines end in a line feed only")
    if text and not text.endswith("\n"):
        found.append("no line feed at the end")
    if text.endswith("\n\n"):
        found.append("an empty line at the end")
    for number, line in enumerate(text.splitlines(), 1):
        # In a notebook, trailing blanks stand inside JSON strings; nbformat decides about the rest.
        if line != line.rstrip() and path.suffix != ".ipynb":
            found.append(f"line {number}: blanks at the end")
        if path.name == Path(__file__).name:
            continue  # the patterns above
        for pattern, what in (
            (MACHINE_PATH, "a path of one machine"),
            (REGISTRY, "the host of a package registry"),
            (CDN, "the host of a content network"),
            (INDEX, "a package index"),
        ):
            match = pattern.search(line)
            if match and not (pattern is MACHINE_PATH and "tests" in path.parts and EXAMPLE.match(match[0])):
                found.append(f"line {number}: {what}: {match[0]}")
    return found


def check(path: Path) -> list[str]:
    """Read one file and return its problems, each with the file's name."""
    data = path.read_bytes()
    try:
        text = data.decode("utf8")
    except UnicodeDecodeError:
        text = None
    if text is not None and "\0" in text:
        text = None
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return [f"{name}: {problem}" for problem in problems(path, text, len(data))]


if __name__ == "__main__":
    files = [Path(name).resolve() for name in sys.argv[1:]] or repository_files()
    messages = [message for path in files for message in check(path)]
    print("\n".join(messages) or f"{len(files)} files are clean")
    sys.exit(bool(messages))
