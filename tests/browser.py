"""What the browser tests share: a served folder, and a Chromium that reaches nothing else."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from pathlib import Path

from env import find_chromium
from playwright.sync_api import Browser, Page, sync_playwright

BUILT_BOOK = Path(__file__).parents[1] / "_build" / "html"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """Path of the browser: $CHROMIUM, else the system's, else Playwright's own; RuntimeError if there is none."""
    if found := find_chromium():
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if not Path(own).exists():
        raise RuntimeError("no Chromium found: install one (`playwright install chromium`) or set CHROMIUM to its path")
    return own


@contextlib.contextmanager
def launch():
    """A headless Chromium."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def serve(folder: Path):
    """Serve a folder on a free port of this machine; yields its address, ending in a slash."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def visit(browser: Browser, home: str, **context):
    """An empty page that may load what lies under `home` and nothing else.

    `page.foreign` lists the requests that were refused, `page.messages` everything on the console and every error.
    Keyword arguments go to Playwright's `new_context` (viewport, color_scheme, java_script_enabled ...).
    """
    with contextlib.closing(browser.new_context(**context)) as session:
        page: Page = session.new_page()
        page.foreign, page.messages = [], []

        def admit(route):
            if route.request.url.startswith((home, "blob:", "data:")):
                route.continue_()
            else:
                page.foreign.append(route.request.url)
                route.abort()

        page.route("**/*", admit)
        page.on("pageerror", lambda error: page.messages.append(f"error: {error}"))
        page.on("console", lambda message: page.messages.append(f"{message.type}: {message.text}"))
        yield page


def overflow(page: Page) -> int:
    """How many CSS pixels the page is wider than its window; 0 if nothing sticks out."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
