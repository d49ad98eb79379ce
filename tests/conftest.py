"""Fixtures that several test files share."""

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
