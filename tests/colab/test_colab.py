"""What readers meet on Colab, tried on the versions that Colab publishes. Only `make test-colab` runs this.

Colab itself is not here: `stand_in/` plays `google.colab`, and Python's patch version, torch's CUDA and the operating
system are others. The tests of the set-up cell remove and install the package; at the end the built wheel is installed,
and the next step of `make test-colab` runs the notebooks with that.
"""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import check_files
import colab_env
import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from setup_cell import SETUP_CELL
from stored_form import WIDGET_VIEW

pytestmark = pytest.mark.colab

ROOT = Path(__file__).parents[2]
VERSIONS = colab_env.versions()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Colab has TensorFlow 2.20 (the list of June) and torchvision, which are too large for this environment; LibCST is an
#: extra, and where it is missing `lint` says so. What needs one of them is not run here.
NOT_INSTALLED = ("tensorflow", "torchvision", "libcst")
SOURCES = [path.read_text(encoding="utf8") for path in sorted((ROOT / "amp_helpers/widgets").glob("*.py"))]
WIDGETS = [name for source in SOURCES for name in re.findall(r"^class (\w+)\(BookWidget\)", source, re.MULTILINE)]
#: How to make a widget that cannot do without an argument: what to run before, and the call.
TRACE = "import torch\nfrom amp_helpers.tracing import trace\nwith trace() as t:\n    torch.ones(2).half()\n"
MADE = {"DtypeFlow": (TRACE, "DtypeFlow(t)")}


class Kernel:
    """A notebook's kernel in this environment, with `google.colab` loaded, far from the checkout."""

    def __init__(self, folder: Path, **env: str):
        environment = {**os.environ, "PYTHONPATH": str(colab_env.STAND_IN), **env}
        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(folder), env=environment)

    def run(self, code: str) -> tuple[dict, list[dict]]:
        """The reply to a cell, and what the cell showed: messages with `msg_type` and `content`."""
        messages = []
        reply = self.client.execute_interactive(code, timeout=120, output_hook=messages.append)
        return reply["content"], [m for m in messages if m["msg_type"] not in ("status", "execute_input")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def pip(*arguments) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed() -> dict[str, str]:
    return {package["name"]: package["version"] for package in json.loads(pip("list", "--format=json"))}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    """The package as an archive of the repository, which published notebooks install, and as its wheel."""
    folder = tmp_path_factory.mktemp("sources")
    archive = folder / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in check_files.repository_files():
            file.write(path, Path("book-main", path.relative_to(ROOT)))
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", folder, archive)
    (wheel,) = folder.glob("*.whl")
    return {"archive": archive, "wheel": wheel}


@pytest.fixture
def without_package():
    pip("uninstall", "--quiet", "--yes", "amp-helpers")
    assert "amp-helpers" not in installed()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory, sources):
    """A kernel in which the set-up cell has run."""
    with Kernel(tmp_path_factory.mktemp("kernel"), AMP_HELPERS_SOURCE=str(sources["wheel"])) as kernel:
        assert kernel.run(SETUP_CELL)[0]["status"] == "ok"
        yield kernel


@pytest.fixture(scope="module")
def plain_kernel(kernel, tmp_path_factory):
    """A kernel elsewhere: the same versions, without `google.colab`."""
    with Kernel(tmp_path_factory.mktemp("plain_kernel"), PYTHONPATH="") as plain:
        yield plain


# --- the environment --------------------------------------------------------------------------------


def test_the_versions_are_colabs():
    assert sys.version_info[:2] == tuple(map(int, VERSIONS["python"].split(".")[:2]))
    here = {name: importlib.metadata.version(name).partition("+")[0] for name in VERSIONS if name != "python"}
    assert {"python": VERSIONS["python"], **here} == VERSIONS


def imported(source: str) -> set[str]:
    """Top-level names of all modules that a Python source imports, inside functions too."""
    nodes = list(ast.walk(ast.parse(source)))
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {module.partition(".")[0] for module in modules}


def not_on_colab(names: set[str]) -> set[str]:
    """The names that neither Python nor a package of the list provides."""
    owners = importlib.metadata.packages_distributions()
    listed = {canonical(name) for name in VERSIONS}
    found = {name for name in names if listed & {canonical(owner) for owner in owners.get(name, ())}}
    return names - found - sys.stdlib_module_names - {"amp_helpers", *NOT_INSTALLED}


@pytest.mark.parametrize("path", sorted((ROOT / "amp_helpers").rglob("*.py")), ids=lambda path: path.name)
def test_the_package_imports_what_colab_has(path):
    missing = not_on_colab(imported(path.read_text(encoding="utf8")))
    assert not missing, f"not in tests/colab/versions.txt: {missing}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_notebook_imports_what_colab_has(path):
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    missing = not_on_colab(set().union(*map(imported, cells)))
    assert not missing, f"not in tests/colab/versions.txt: {missing}"


def test_an_import_that_colab_lacks_is_found():
    names = imported("import nbval.plugin, torch\ndef f():\n    from gfloat.types import x\n    from . import y")
    assert names == {"nbval", "torch", "gfloat"}
    assert not_on_colab(names | {"math", "IPython"}) == {"nbval", "gfloat"}


# --- the set-up cell --------------------------------------------------------------------------------


def would_install(wheel: Path) -> set[str]:
    report = json.loads(pip("install", "--dry-run", "--quiet", "--report", "-", wheel))
    return {canonical(item["metadata"]["name"]) for item in report["install"]}


def test_installing_with_dependencies_would_change_nothing_else(without_package, sources):
    assert would_install(sources["wheel"]) == {"amp-helpers"}


def test_a_floor_above_colabs_is_found(without_package, sources, tmp_path):
    demanding = tmp_path / sources["wheel"].name
    with zipfile.ZipFile(sources["wheel"]) as old, zipfile.ZipFile(demanding, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name.endswith("METADATA"):
                assert b"ipywidgets>=7.7.1" in text
                text = text.replace(b"ipywidgets>=7.7.1", b"ipywidgets>=8")
            new.writestr(name, text)
    assert "ipywidgets" in would_install(demanding)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "amp_helpers is not installed, and this notebook does not say where it is. Install it from a copy"),
        ("missing.whl", "amp_helpers could not be installed from missing.whl. Install it from a copy"),
    ],
    ids=["no source", "no such wheel"],
)
def test_the_set_up_cell_stops_when_it_cannot_install(without_package, tmp_path, source, message):
    before = installed()
    with Kernel(tmp_path, AMP_HELPERS_SOURCE=source) as kernel:
        reply, shown = kernel.run(SETUP_CELL)
    assert (reply["status"], reply["ename"]) == ("error", "SystemExit")
    assert reply["evalue"].startswith(message)
    assert not source or "ERROR: " in reply["evalue"]
    assert message in str(shown) and "Traceback" not in str(shown)
    assert installed() == before


@pytest.mark.parametrize("form", ["archive", "wheel"])
def test_the_set_up_cell_installs_the_package_and_nothing_else(without_package, sources, tmp_path, form):
    before = installed()
    with Kernel(tmp_path, AMP_HELPERS_SOURCE=str(sources[form])) as kernel:
        assert (kernel.run(SETUP_CELL)[0]["status"], kernel.run("source")[0]["status"]) == ("ok", "ok")
        # No restart: the kernel that installed it imports it, and not from a checkout.
        reply, _ = kernel.run("import sys, amp_helpers.widgets\nassert amp_helpers.__file__.startswith(sys.prefix)")
        assert reply["status"] == "ok", reply
    after = installed()
    assert after.pop("amp-helpers", None) or after.pop("amp_helpers")
    assert after == before


def test_the_set_up_cell_does_nothing_the_second_time(kernel, tmp_path):
    before = installed()
    with Kernel(tmp_path, AMP_HELPERS_SOURCE="nowhere.whl") as second:
        reply, shown = second.run(
            SETUP_CELL + "\nassert 'source' not in globals() and 'amp_helpers' not in sys.modules"
        )
    assert (reply["status"], shown) == ("ok", [])
    assert installed() == before


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_notebook_starts_with_the_set_up_cell_and_asks_for_a_t4(path):
    notebook = nbformat.read(path, as_version=4)
    assert next(cell.source for cell in notebook.cells if cell.cell_type == "code") == SETUP_CELL
    assert notebook.metadata["accelerator"] == "GPU"
    assert notebook.metadata["colab"] == {"gpuType": "T4"}


# --- the widgets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["{}", "from IPython.display import display; display({})"], ids=["last", "display"])
@pytest.mark.parametrize("name", WIDGETS)
def test_colab_is_offered_the_live_view_only(kernel, name, call):
    before, made = MADE.get(name, ("", f"{name}()"))
    reply, messages = kernel.run(f"{before}from amp_helpers.widgets import {name}; {call.format(made)}")
    assert reply["status"] == "ok", reply
    opened = [m["content"] for m in messages if m["msg_type"] == "comm_open"]
    (shown,) = [m["content"] for m in messages if not m["msg_type"].startswith("comm_")]
    assert set(shown["data"]) == {"text/plain", WIDGET_VIEW}
    assert shown["data"]["text/plain"].startswith(f"{name}(")
    # This makes Colab load a widget manager that knows widgets other than ipywidgets' own.
    assert shown["metadata"] == {WIDGET_VIEW: {"colab": {"custom_widget_manager": {"url": "manager.js"}}}}
    # The view names a model that was opened, with the module that draws it.
    models = {content["comm_id"]: content["data"]["state"] for content in opened}
    state = models[shown["data"][WIDGET_VIEW]["model_id"]]
    assert state["_model_module"] == "anywidget" and "export default" in state["_esm"]


@pytest.mark.parametrize("name", WIDGETS)
def test_elsewhere_ipywidgets_7_shows_the_twin_too(plain_kernel, name):
    before, made = MADE.get(name, ("", f"{name}()"))
    reply, messages = plain_kernel.run(f"{before}from amp_helpers.widgets import {name}; {made}")
    assert reply["status"] == "ok", reply
    (shown,) = [m["content"] for m in messages if m["msg_type"] == "execute_result"]
    assert set(shown["data"]) == {"text/plain", "text/html", WIDGET_VIEW} and shown["metadata"] == {}
    assert shown["data"]["text/html"].startswith("<amp-widget ")


FIGURE = """
from matplotlib import pyplot as plt
from amp_helpers.widgets import InteractiveFigure
def draw(power):
    axes = plt.subplots(figsize=(1, 1))[1]
    axes.plot([0, 2**power])
    return axes
figure = InteractiveFigure(draw, power=(-4, 4))
"""


def test_a_figure_with_controls_is_live_on_colab_and_a_picture_elsewhere(kernel, plain_kernel):
    reply, messages = kernel.run(f"{FIGURE}\nfigure")
    assert reply["status"] == "ok", reply
    opened = {m["content"]["comm_id"]: m["content"]["data"]["state"] for m in messages if m["msg_type"] == "comm_open"}
    (shown,) = [m["content"] for m in messages if m["msg_type"] == "execute_result"]
    assert set(shown["data"]) == {"text/plain", WIDGET_VIEW} and shown["metadata"] == {}
    assert opened[shown["data"][WIDGET_VIEW]["model_id"]]["_model_name"] == "VBoxModel"
    reply, messages = plain_kernel.run(f"{FIGURE}\nfigure")
    assert reply["status"] == "ok", reply
    (shown,) = [m["content"] for m in messages if m["msg_type"] == "execute_result"]
    assert set(shown["data"]) == {"text/plain", "image/png", WIDGET_VIEW}


def test_the_tests_above_know_every_widget(kernel):
    reply, messages = kernel.run(
        "from amp_helpers import widgets\n"
        "all = {name: getattr(widgets, name) for name in widgets.__all__}\n"
        "print(*[name for name, it in all.items() if issubclass(it, widgets.BookWidget)])"
    )
    assert reply["status"] == "ok", reply
    assert sorted(messages[0]["content"]["text"].split()) == sorted(["BookWidget", *WIDGETS])
