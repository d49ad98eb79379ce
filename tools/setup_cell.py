"""The set-up cell: the first code cell of every notebook, byte for byte, and the one line of it that is stamped.

It does nothing where `amp_helpers` can be imported. Elsewhere (Colab) it installs that one package without
dependencies, so that nothing preinstalled changes and no restart is needed. If it cannot, it raises SystemExit:
IPython prints the message without a traceback, and "Run all" stops there.
"""

SETUP_CELL = """\
# @title Set-up: installs amp_helpers where it is missing and changes nothing else
import importlib.util
import os
import subprocess
import sys

PUBLISHED_SOURCE = ""  # filled in when the book is published
if importlib.util.find_spec("amp_helpers") is None:
    source = os.environ.get("AMP_HELPERS_SOURCE") or PUBLISHED_SOURCE
    advice = "Install it from a copy of the book (in its folder: pip install .), then run this cell again."
    if not source:
        raise SystemExit(f"amp_helpers is not installed, and this notebook does not say where it is. {advice}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", source]
    pip = subprocess.run(command, capture_output=True, text=True)
    importlib.invalidate_caches()
    if importlib.util.find_spec("amp_helpers") is None:
        reason = pip.stderr.strip() or "the package that was installed is not amp_helpers"
        raise SystemExit(f"amp_helpers could not be installed from {source}. {advice}\\n{reason}")"""

#: The opening of the line that `tools/stamp.py` rewrites; the address stands between the quotes.
STAMPED_LINE = "PUBLISHED_SOURCE = "
