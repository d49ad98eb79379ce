"""Every built page in a browser: nothing from elsewhere, no message, light enough, accessible, usable on a phone."""

import gzip
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import overflow, serve, visit
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CONTENTS = (Path(__file__).parents[1] / "_toc.yml").read_text(encoding="utf8")
PAGES = [f"{name}.html" for name in [*re.findall(r"(?:root|file): (\S+)", CONTENTS), "search", "404"]]
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
#: What axe finds in sphinx-book-theme itself, on pages without a word of ours. Everything else fails.
THEME_FINDINGS = {"label-content-name-mismatch", "region"}
#: The theme and the copy buttons say this on every page, and it is not an error.
CHATTER = ("[PST]", "[togglebutton]")


@pytest.fixture(scope="module")
def home(book_html):
    with serve(book_html) as address:
        yield address


def messages(page) -> list[str]:
    return [text for text in page.messages if not any(word in text for word in CHATTER)]


def test_every_built_page_is_in_the_list(book_html):
    files = (path.relative_to(book_html) for path in book_html.rglob("*.html"))
    built = {path.as_posix() for path in files if path.parts[0] != "_static"}  # the theme's templates lie there
    assert built - set(PAGES) <= {"genindex.html", "py-modindex.html"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_quiet_and_accessible(browser, home, name, scheme):
    with visit(browser, home, color_scheme=scheme) as page:
        page.goto(home + name, wait_until="load")
        page.wait_for_function("[...document.querySelectorAll('amp-widget')].every((w) => 'live' in w.dataset)")
        assert page.foreign == [] and messages(page) == []
        # The theme fades its colours in; half-way they have too little contrast.
        page.evaluate("Promise.allSettled(document.getAnimations().map((animation) => animation.finished))")
        # Without "preload" axe asks for no style sheets of its own (it looks for imported ones in the wrong folder).
        found = Axe().run(page, options={"preload": False}).response["violations"]
        assert {finding["id"] for finding in found} <= THEME_FINDINGS, [
            (finding["id"], [node["html"][:160] for node in finding["nodes"]]) for finding in found
        ]
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, background[4:-1].split(","))) < 380) == (scheme == "dark")


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_a_phone(browser, home, name):
    with visit(browser, home, **PHONE) as page:
        page.goto(home + name, wait_until="load")
        page.wait_for_function("[...document.querySelectorAll('amp-widget')].every((w) => 'live' in w.dataset)")
        assert overflow(page) == 0


@pytest.mark.parametrize("name", [name for name in PAGES if name != "404.html"])
def test_page_works_from_a_file(browser, book_html, name):
    with visit(browser, book_html.as_uri()) as page:
        page.goto(f"{book_html.as_uri()}/{name}", wait_until="load")
        page.wait_for_function("[...document.querySelectorAll('amp-widget')].every((w) => 'live' in w.dataset)")
        assert page.foreign == [] and messages(page) == []


def weight(browser, home, book_html, name) -> tuple[int, bool]:
    """Bytes of everything a page loads, each file compressed as a server would; and whether it has mathematics."""
    with visit(browser, home) as page:
        loaded = set()
        page.on("request", lambda request: loaded.add(urlsplit(request.url).path))
        page.goto(home + name, wait_until="networkidle")
        math = page.locator("mjx-container").count() > 0
    files = [book_html / path.lstrip("/") for path in loaded if not path.startswith("blob")]
    already = {".woff", ".woff2", ".png", ".jpg"}  # compressed formats travel as they are
    sizes = [
        len(f.read_bytes()) if f.suffix in already else len(gzip.compress(f.read_bytes(), 6))
        for f in files
        if f.is_file()
    ]
    return sum(sizes), math


@pytest.mark.parametrize("name", PAGES)
def test_page_weight(browser, home, book_html, name, record_property):
    size, math = weight(browser, home, book_html, name)
    record_property("kB", size // 1000)
    print(f"{name}: {size / 1000:.0f} kB compressed, {'with' if math else 'without'} mathematics")
    assert 20_000 < size < (1_000_000 if math else 700_000)


def test_front_page_shows_a_compact_explorer_that_works(browser, home):
    with visit(browser, home) as page:
        page.goto(home)
        explorer = page.locator("amp-widget[data-live]")
        assert explorer.locator("input").count() >= 3 and explorer.locator("table").count() == 0
        explorer.get_by_role("switch").first.click()
        expect(explorer.get_by_text(re.compile(r"[−-]0\.0999")).first).to_be_visible()


def test_keys_typed_into_a_widget_stay_there(browser, home):
    """The theme's own shortcut "/" would take the key out of a fraction."""
    with visit(browser, home) as page:
        page.goto(home + "notebooks/01_float_bits.html")
        explorer = page.locator("amp-widget[data-live]")
        explorer.locator("#decimal").click()
        page.keyboard.press("Control+a")
        page.keyboard.type("1/3")
        page.keyboard.press("Enter")
        expect(explorer.locator(".headline .value")).to_have_text("0.333251953125")
        page.keyboard.press("Control+k")  # this one is meant for the page
        expect(page.locator("input[type=search]").first).to_be_focused()


def test_search_finds_words_of_pages_and_notebooks(browser, home):
    with visit(browser, home) as page:
        page.goto(home + "search.html?q=subnormal")
        for title in ("sixteen bits", "Glossary"):  # results come one after the other
            expect(page.locator("ul.search li", has_text=title).first).to_be_visible(timeout=20_000)
        assert page.foreign == []


def test_search_opens_by_keyboard(browser, home):
    with visit(browser, home) as page:
        page.goto(home + "index.html")
        page.keyboard.press("Control+k")
        page.keyboard.type("bias")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=bias*")


def test_theme_button_changes_the_colours(browser, home):
    with visit(browser, home, color_scheme="light") as page:
        page.goto(home + "index.html")
        button = page.locator("button.theme-switch-button").first
        seen = []
        for _ in range(3):
            button.click()
            seen.append(page.evaluate("document.documentElement.dataset.theme"))
        assert set(seen) == {"light", "dark"}


def test_solutions_are_folded_and_open_by_keyboard(browser, home):
    with visit(browser, home) as page:
        page.goto(home + "notebooks/01_float_bits.html")
        solutions = page.locator("div.solution")
        assert solutions.count() == 3
        body = solutions.first.locator(".section, .solution-content, section").first
        assert not body.is_visible()
        solutions.first.locator("button.toggle-button").focus()
        page.keyboard.press("Enter")
        assert body.is_visible() and "1.5625" in body.inner_text()


def test_code_has_copy_buttons_and_outputs_have_not(browser, home):
    with visit(browser, home) as page:
        page.goto(home + "notebooks/01_float_bits.html")
        inputs = page.locator("div.cell_input button.copybtn").count()
        assert inputs == page.locator("div.cell_input div.highlight").count() > 20
        # Output that shows source code is code, too.
        assert page.locator("div.cell_output div.output:not(.text_markdown) button.copybtn").count() == 0


def test_mathematics_is_set_from_our_own_files(browser, home):
    with visit(browser, home) as page:
        page.goto(home + "notebooks/01_float_bits.html", wait_until="networkidle")
        page.locator("mjx-container").first.wait_for()
        assert page.locator("mjx-container mjx-mfrac").count() >= 1
        assert page.locator("mjx-merror").count() == 0
        assert page.foreign == []


def test_page_without_scripts_shows_everything(browser, home):
    with visit(browser, home, java_script_enabled=False) as page:
        page.goto(home + "notebooks/01_float_bits.html")
        assert page.locator("amp-widget table").first.is_visible()
        assert page.locator("div.solution").first.is_visible()


def test_a_missing_page_says_so(browser, home):
    with visit(browser, home) as page:
        page.goto(home + "404.html")
        assert page.get_by_role("heading", level=1).inner_text() != ""
        assert page.locator("a[href*='index.html']").count() >= 1
