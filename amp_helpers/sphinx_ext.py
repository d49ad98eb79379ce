"""Sphinx side of the widgets: pages that hold an `<amp-widget>` get one script and one style sheet, both local."""

from __future__ import annotations

from pathlib import Path

from amp_helpers.javascript import STATIC, page_script

SCRIPT = "amp-widgets.js"
STYLE = "amp-widgets.css"


def _write(app) -> None:
    """Put both files into the build; pages link them by a checksum, so they must exist before the first page."""
    if app.builder.format == "html":
        folder = Path(app.outdir) / "_static"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SCRIPT).write_text(page_script(), encoding="utf-8")
        (folder / STYLE).write_bytes((STATIC / "book" / "widgets.css").read_bytes())


def _link(app, page, template, context, doctree) -> None:
    """A page without a widget loads nothing for it."""
    if "<amp-widget" in context.get("body", ""):
        app.add_js_file(SCRIPT, loading_method="defer")
        app.add_css_file(STYLE)


def setup(app) -> dict:
    app.connect("builder-inited", _write)
    app.connect("html-page-context", _link)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
