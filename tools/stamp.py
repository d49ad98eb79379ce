"""Write the address of the published package into the set-up cells, and change no other byte.

    REPOSITORY=owner/name python tools/stamp.py --ref v1.0.0 [--output FOLDER] [notebooks ...]

Runs in the publishing workflow only: the address stands in no file of a working copy. Stamping twice with the same
reference changes nothing; another reference replaces the first.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from setup_cell import STAMPED_LINE

OWNER = r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}"
NAME = r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
REFERENCE = r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]*"

# In the notebook's JSON the quotes around the address are escaped.
LINE = re.compile(rf'^(\s*"{STAMPED_LINE}\\")[^"\\]*(\\")', re.MULTILINE)


def package_address(repository: str, ref: str) -> str:
    """Return the address of the archive that pip installs.

    Args:
        repository: `owner/name`.
        ref: a tag, branch or commit.
    Raises: ValueError if either is malformed.
    """
    if not re.fullmatch(f"{OWNER}/{NAME}", repository) or repository.endswith(".git"):
        raise ValueError(f"REPOSITORY must be owner/name, for example octocat/hello-world, not {repository!r}")
    if not re.fullmatch(REFERENCE, ref):
        raise ValueError(f"--ref must be a tag, branch or commit, not {ref!r}")
    return f"https://github.com/{repository}/archive/{ref}.zip"


def stamp(text: str, address: str) -> str:
    """Return a notebook's JSON text with `address` in its set-up cell.

    Raises: ValueError if the text does not hold exactly one set-up cell.
    """
    stamped, count = LINE.subn(lambda match: match[1] + address + match[2], text)
    if count != 1:
        raise ValueError(f"expected one line {STAMPED_LINE.strip()!r}, found {count}")
    return stamped


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python tools/stamp.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repository", default=os.environ.get("REPOSITORY", ""), help="owner/name; default: $REPOSITORY"
    )
    parser.add_argument("--ref", required=True, help="the tag, branch or commit that readers install")
    parser.add_argument("--output", type=Path, help="write there and leave the notebooks as they are")
    parser.add_argument("paths", nargs="*", type=Path, help="default: notebooks/*.ipynb")
    options = parser.parse_args(arguments)
    paths = options.paths or sorted(Path("notebooks").glob("*.ipynb"))
    try:
        if not paths:
            raise ValueError("no notebooks to stamp in notebooks/")
        address = package_address(options.repository, options.ref)
        stamped = {}
        for path in paths:  # every notebook is read before the first is written
            try:
                stamped[path] = stamp(path.read_bytes().decode("utf-8"), address)
            except (OSError, ValueError) as error:
                raise ValueError(f"{path}: {error}") from None
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    for path, text in stamped.items():
        (options.output / path.name if options.output else path).write_bytes(text.encode("utf-8"))
    print(f"stamped {len(stamped)} notebooks with {address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
