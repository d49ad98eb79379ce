"""What the tests of all widgets share: a small page with the real host, and what is asked of every widget."""

import html
import json

from axe_playwright_python.sync_playwright import Axe

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
HOSTILE = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
STYLE = """
html { color-scheme: light dark }
body { margin: 0 auto; max-width: 760px; padding: 0 16px; background: #fff; color: #22211f }
html[data-theme=dark] body { background: #17181a; color: #e6e4df }
html[data-theme=dark] a { color: #8fc7ff }
"""
#: JavaScript: the root of the page's first widget, and what has the focus in it.
SHADOW = "document.querySelector('amp-widget').firstChild.firstChild.shadowRoot"
FOCUSED = f"{SHADOW}.activeElement"


class WidgetView:
    """What a reader can see and do in a live widget of a page; a test's `View` adds what its widget has besides."""

    def __init__(self, page, index=0):
        self.page = page
        self.root = page.locator("amp-widget[data-live]").nth(index)
        self.root.wait_for(timeout=10_000)

    def button(self, name):
        return self.root.get_by_role("button", name=name, exact=True)

    def field(self, name):
        return self.root.locator(f"#{name}")


def write_page(folder, name, *states, theme="light", before=""):
    """A page with one widget per state, the same script and style sheet that the book loads."""
    widgets = "".join(
        f'<amp-widget kind="{state.pop("kind", "bit_explorer")}" state="{html.escape(json.dumps(state))}">'
        "<pre>the fallback</pre></amp-widget>"
        for state in map(dict, states)
    )
    (folder / f"{name}.html").write_text(
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>page</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="widgets.css">'
        f'<link rel="icon" href="data:,"><style>{STYLE}</style><script defer src="widgets.js"></script></head>'
        f'<body><main><h1 id="top">Bits</h1>{before}{widgets}<h2 id="end">End</h2></main></body></html>',
        encoding="utf-8",
    )
    return f"{name}.html"


def address(page):
    page.wait_for_timeout(350)  # the page writes it a moment after the last change
    return page.evaluate("location.hash")


def findings(page):
    """What axe finds inside the widgets."""
    options = {"preload": False}  # else it asks for every style sheet once more
    results = Axe().run(page, context="amp-widget", options=options).response
    assert len(results["passes"]) > 15, "axe did not look inside"
    return [(rule["id"], node["html"]) for rule in results["violations"] for node in rule["nodes"]]


def luminance(color):
    channels = [float(part) / 255 for part in color[4:-1].split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
