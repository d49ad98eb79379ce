"""The built wheel works without the checkout: it carries its data files and shows a widget."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Runs in the fresh environment, far from the checkout.
PROBE = """
import json, pathlib, amp_helpers
from amp_helpers.widgets import BitExplorer
from amp_helpers.plots import use_book_style
from amp_helpers.formats import FORMATS
widget = BitExplorer(format="bfloat16", code="0x3f80")
data, _ = widget._repr_mimebundle_()
use_book_style()
print(json.dumps({
    "home": str(pathlib.Path(amp_helpers.__file__).resolve()),
    "types": sorted(data),
    "html": data["text/html"],
    "module": str(widget._esm),
    "value": widget.value,
    "formats": len(FORMATS),
}))
"""


def run(*command, **kwargs):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel")
    # Straight from the tracked files: what only lies about in the checkout must not make the wheel complete.
    source = folder / "source"
    source.mkdir()
    tracked = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    run(*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"amp_helpers"}
    shipped = {name for name in names if name.startswith("amp_helpers/")}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "amp_helpers").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= shipped
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_wheel_shows_a_widget_in_a_fresh_environment(wheel, tmp_path):
    run(sys.executable, "-m", "venv", tmp_path / "env")
    python = tmp_path / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    # torch is left out: neither the formats nor the widgets need it, and it is most of the download.
    needed = ["anywidget", "ipython", "ipywidgets", "matplotlib", "numpy"]
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "-c", ROOT / "constraints.txt", *needed)
    run(*pip, "--no-deps", wheel)
    (tmp_path / "elsewhere").mkdir()
    seen = json.loads(run(python, "-c", PROBE, cwd=tmp_path / "elsewhere"))
    assert Path(seen["home"]).is_relative_to(tmp_path / "env")
    assert {"application/vnd.jupyter.widget-view+json", "text/html"} <= set(seen["types"])
    assert '<amp-widget kind="bit_explorer"' in seen["html"] and "bfloat16" in seen["html"]
    assert (
        "import " not in seen["module"].split("export default")[0].splitlines()[0] and "./core.js" not in seen["module"]
    )
    assert seen["value"] == 1.0
    assert seen["formats"] == 13
