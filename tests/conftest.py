"""Fixtures that several test files share."""

import re
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def book_html() -> Path:
    """The built book; the tests fail if it was not built."""
    folder = ROOT / "_build" / "html"
    if not (folder / "index.html").exists():
        pytest.fail(f"no built book in {folder}: run `make book` first")
    return folder


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium. It goes with its file: Playwright's event loop would be in the way of others' asyncio."""
    from browser import launch

    with launch() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """(folder, its address): pages made on the spot, with the script and the style sheet of the book."""
    from browser import serve

    from amp_helpers.javascript import STATIC, page_script

    folder = tmp_path_factory.mktemp("site")
    (folder / "widgets.js").write_text(page_script(), encoding="utf-8")
    (folder / "widgets.css").write_text((STATIC / "book" / "widgets.css").read_text(encoding="utf-8"), encoding="utf-8")
    with serve(folder) as home:
        yield folder, home


@pytest.fixture
def open_page(site, browser, request):
    """A function that opens a page of the site and gives its first widget; nothing foreign, nothing on the console.

    The test's module says which: `KIND` is the widget's, `VIEW` what a reader can see and do, made from the page.
    """
    from browser import visit
    from widget_page import write_page

    folder, home = site
    kind, view = request.module.KIND, request.module.VIEW

    @contextmanager
    def opened(*states, theme="light", before="", hash="", **context):
        states = [{"kind": kind, **state} for state in states]
        name = write_page(folder, re.sub(r"\W+", "-", request.node.name), *states, theme=theme, before=before)
        with visit(browser, home, **context) as page:
            page.goto(home + name + hash)
            yield view(page)
            assert page.foreign == [] and page.messages == []

    return opened


@pytest.fixture
def machine(monkeypatch):
    """A machine that is not here, as torch would show it: see `machines.Machine`."""
    from machines import Machine

    return Machine(monkeypatch)


@pytest.fixture
def book_style():
    """The book's look for the figures of a test; afterwards they are gone."""
    import matplotlib

    matplotlib.use("agg")
    from amp_helpers import plots

    with matplotlib.rc_context():
        plots.use_book_style()
        yield
    matplotlib.pyplot.close("all")


@pytest.fixture
def one_thread():
    """Torch computes with one thread during the test."""
    from amp_helpers import benchmark

    with benchmark.one_thread():
        yield
