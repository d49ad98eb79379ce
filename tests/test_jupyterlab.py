"""One smoke test in a running JupyterLab: the bit explorer and Python move each other."""

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from browser import visit
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CELLS = [
    "from amp_helpers.widgets import BitExplorer; w = BitExplorer(); w",
    "print('python reads', w.code, w.value)",
    "w.code = '0x4248'; w.format = 'bfloat16'; print('python set', w.code)",
    "w.exponent_bits, w.significand_bits = 5, 2; w.bias = 15; w.format = 'custom'; print('python made', w.code)",
]
#: Makes a trace `t`; `exec` because a cell below has room for an expression.
TRACED = """
import torch
from amp_helpers.tracing import trace
with trace() as t:
    torch.ones(2, requires_grad=True).square().sum().half().backward()
"""
#: A claims table of one row, without testing any claim.
CLAIMS = """
<table class="amp-claims"><tbody><tr class="topic"><th>Speed</th></tr>
<tr id="claim-7" data-topic="speed" data-kind="run" data-verdict="true"><td>It is so.</td></tr></tbody></table>
"""
#: Widget -> how to make it, the button a reader presses, what Python reads then, what Python sets, what the page shows.
OTHERS = {
    "NumberLine": ("", "Log scale", "scale log", "probe = '2.5'", "2.5 rounded"),
    "RoundingStepper": ("value='2049'", "Next →", "step 2", "step = 4", "Step 4 of"),
    "AutocastMap": ("", "CPU", "device cpu", "op = 'softmax'", "softmax on both devices"),
    "DtypeFlow": (
        f"*(exec({TRACED!r}) or [t])",
        "Backward",
        "direction backward",
        "selected = 1",
        "Row 2 of 2, backward",
    ),
    "ClaimsTable": (
        f"search='zzz', table={CLAIMS!r}",
        "Show all",
        "search there",
        "search = 'not'",
        "None of 1 claims",
    ),
    "LoopBuilder": ("", "BF16 autocast", "precision bf16-mixed", "accumulate = 8", "accumulate = 8"),
    "Roofline": ("", "Elementwise sum", "op elementwise", "gpu = 'H200'", "Memory bandwidth of H200"),
    "MemoryCalculator": ("", "bf16-true", "recipe bf16-true", "model = 'mlp'", "Hidden layers"),
    "Swamping": ("count=10", "Add 10 more additions", "count 20", "count = 100", "After 100 additions"),
    "GradScalerPlayer": ("growth_interval=3", "Inject an inf", "steps i", "steps = 's3'", "After 3 steps the scale is"),
    "UnderflowExplorer": ("", "GradScaler’s 2^16", "scale_exponent 16", "scale_exponent = 5", "2^5 = 32"),
}
OTHER_CELLS = [
    cell
    for name, (made, _, reads, sets, _) in OTHERS.items()
    for cell in (
        f"from amp_helpers.widgets import {name}; w = {name}({made}); w",
        f"print('python reads {reads.split()[0]}', w.{reads.split()[0]}, 'there')",
        f"w.{sets}",
    )
]
# Nothing may be asked of another host: neither news nor updates.
OVERRIDES = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab with two notebooks of the cells above, its folders temporary: its address, and a notebook's."""
    home = tmp_path_factory.mktemp("lab")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for name, sources in (("widget", CELLS), ("others", OTHER_CELLS)):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), home / f"{name}.ipynb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    env = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        env[f"JUPYTER_{name}"] = str(home / name.lower())
    env |= {"IPYTHONDIR": str(home / "ipython"), "HOME": str(home), "JUPYTERLAB_SETTINGS_DIR": str(home / "settings")}
    env["JUPYTERLAB_WORKSPACES_DIR"] = str(home / "workspaces")
    root = str(Path(__file__).parents[1])
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [root, env.get("PYTHONPATH")]))
    overrides = home / "config_dir" / "labconfig"
    overrides.mkdir(parents=True)
    (overrides / "default_setting_overrides.json").write_text(json.dumps(OVERRIDES), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
    ]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home}", "--allow-root"]
    command += ["--LabApp.extension_manager=readonly", "--LabApp.news_url=", "--ServerApp.log_level=WARN"]
    log = home / "lab.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=home, env=env, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(120):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}api", timeout=5):
                break
            assert server.poll() is None, log.read_text(errors="replace")
            time.sleep(0.5)
        else:
            pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')}")
        yield address, lambda name: f"{address}lab/workspaces/{name}/tree/{name}.ipynb?token={token}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def run_cell(page, index):
    """Run a cell; gives its output area."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(index)
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    for _ in range(6):  # on a busy machine the first keys may come before JupyterLab listens
        cell.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(AssertionError):
            expect(prompt).not_to_have_text(before, timeout=10_000)
            break
    return cell.locator(".jp-Cell-outputWrapper")


def open_notebook(page, address, cells):
    """Open a notebook, with all its cells drawn and its kernel idle."""
    page.goto(address)
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(len(cells), timeout=60_000)
    idle = page.locator(".jp-Notebook-ExecutionIndicator").first
    expect(idle).to_have_attribute("data-status", "idle", timeout=60_000)


def troubles(page):
    """What the console says about our widgets."""
    return [message for message in page.messages if "amp_helpers" in message or "anywidget" in message]


def test_other_widgets_and_python_move_each_other(lab, browser):
    home, notebook = lab
    with visit(browser, home, viewport={"width": 1280, "height": 4000}) as page:
        open_notebook(page, notebook("others"), OTHER_CELLS)
        for number, (_, button, reads, _, shown) in enumerate(OTHERS.values()):
            widget = run_cell(page, 3 * number)
            widget.get_by_role("button", name=button, exact=True).click(timeout=60_000)
            expect(run_cell(page, 3 * number + 1)).to_contain_text(f"python reads {reads}", timeout=60_000)
            run_cell(page, 3 * number + 2)
            expect(widget.get_by_text(shown).first).to_be_visible(timeout=60_000)
        assert page.foreign == [] and troubles(page) == []


def test_widget_and_python_move_each_other(lab, browser):
    home, notebook = lab
    with visit(browser, home, viewport={"width": 1280, "height": 1600}) as page:
        open_notebook(page, notebook("widget"), CELLS)
        widget = run_cell(page, 0)
        value = widget.locator(".headline .value")
        expect(value).to_have_text("1", timeout=60_000)
        expect(widget.locator("amp-widget")).to_have_count(0)  # the live view, not the twin

        widget.locator('.bit[data-position="14"]').click()
        expect(value).to_have_text("infinity")
        expect(run_cell(page, 1)).to_contain_text("python reads 0x7c00 inf", timeout=60_000)

        # Every one of these keys is a command of JupyterLab while no editor has the focus (a: new cell, d d: delete).
        widget.locator("#decimal").click()
        page.keyboard.type("abdd/xz1")
        expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(len(CELLS))
        expect(widget.locator("#decimal")).to_have_value(re.compile("abdd/xz1"))
        widget.locator("#decimal").fill("3.14159")
        expect(run_cell(page, 1)).to_contain_text("python reads 0x4248 3.140625", timeout=60_000)

        output = run_cell(page, 2)
        expect(output).to_contain_text("python set 0x4049", timeout=60_000)
        expect(value).to_have_text("3.140625")
        expect(widget.locator(".headline")).to_contain_text("bfloat16 0x4049")
        expect(widget.locator(".bit")).to_have_count(16)

        expect(run_cell(page, 3)).to_contain_text("python made 0x42", timeout=60_000)
        expect(value).to_have_text("3")
        expect(widget.locator(".field.exponent .bit")).to_have_count(5)
        assert page.foreign == [] and troubles(page) == []
