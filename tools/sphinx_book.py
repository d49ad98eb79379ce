"""Sphinx side of the book: third-party browser files, and what depends on the repository's address.

MathJax comes from a pinned package at build time; only the files a page loads are copied. FontAwesome, which the
theme ships whole, is cut down to the icons that the built pages use. `REPOSITORY=owner/name` in the environment turns
on launch buttons and edit links; without it no address appears anywhere.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import tempfile
from pathlib import Path

from docutils import nodes

MATHJAX = "sphinx-mathjax-offline"
MATHJAX_FILES = re.compile(r"static/mathjax/(tex-chtml\.js|output/chtml/fonts/woff-v2/.*\.woff)$")
#: The branch whose notebooks carry the stamped set-up cell (see tools/stamp.py), and the one that contributors edit.
PUBLISHED, EDITED = "published", "main"


def use_repository(app, config) -> None:
    """Set launch buttons and links from REPOSITORY, if it is set."""
    repository = os.environ.get("REPOSITORY", "")
    if not repository:
        config.notfound_urls_prefix = "/"
        return
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ValueError(f"REPOSITORY must be owner/name, not {repository!r}")
    owner, name = repository.split("/")
    config.notfound_urls_prefix = f"/{name}/"
    config.html_baseurl = config.ogp_site_url = f"https://{owner.lower()}.github.io/{name}/"
    config.html_theme_options.update(
        repository_url=f"https://github.com/{repository}",
        repository_branch=PUBLISHED,
        path_to_docs="",
        use_repository_button=True,
        use_issues_button=True,
        use_edit_page_button=True,
        launch_buttons={"colab_url": "https://colab.research.google.com", "notebook_interface": "jupyterlab"},
    )


def edit_the_source(app, pagename, templatename, context, doctree) -> None:
    """Edit links go to the edited branch, although launch buttons name the published one."""

    def mend(buttons: list) -> None:
        for button in buttons:
            mend(button.get("buttons", []))
            if f"/edit/{PUBLISHED}/" in button.get("url", ""):
                button["url"] = button["url"].replace(f"/edit/{PUBLISHED}/", f"/edit/{EDITED}/")

    mend(context.get("header_buttons", []))


def add_mathjax(app) -> None:
    """Put the needed files of the pinned MathJax package on the static path."""
    if app.builder.format != "html":
        return
    target = Path(tempfile.mkdtemp(prefix="mathjax-"))
    for file in importlib.metadata.files(MATHJAX) or []:
        if MATHJAX_FILES.search(file.as_posix()):
            copy = target / "mathjax" / file.as_posix().partition("static/mathjax/")[2]
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), copy)
    if not (target / "mathjax" / "tex-chtml.js").exists():
        raise RuntimeError(f"the package {MATHJAX} holds no tex-chtml.js")
    app.config.html_static_path.append(str(target))


def drop_idle_mathjax(app, pagename, templatename, context, doctree) -> None:
    """Sphinx gives MathJax to every page above one with mathematics; the front page has none of its own."""
    if doctree is None or doctree.next_node(lambda node: isinstance(node, (nodes.math, nodes.math_block))):
        return
    files = context.get("script_files", [])
    files[:] = [file for file in files if "mathjax" not in f"{file.filename} {file.attributes.get('body', '')}".lower()]


def name_references(app, pagename, templatename, context, doctree) -> None:
    """Give every bibliography entry an anchor that stays, `#ref-KEY`; Sphinx's own are numbered.

    docutils also gives the entries a role that ARIA 1.2 deprecates inside a list; they are list items.
    """
    if 'role="doc-biblioentry"' not in context.get("body", ""):
        return
    keys = {citation.citation_id: citation.key for citation in app.env.get_domain("cite").citations}

    def opened(match: re.Match) -> str:
        return f'<div class="citation" id="{match[1]}" role="listitem"><span id="ref-{keys[match[1]]}"></span>'

    entry = r'<div class="citation" id="(\w+)" role="doc-biblioentry">'
    context["body"] = re.sub(entry, opened, context["body"])


def cut_fontawesome(app, exception) -> None:
    """Keep only the icons that occur in the built pages; the whole set would be the heaviest file of a page."""
    script = Path(app.outdir) / "_static" / "scripts" / "fontawesome.js"
    if exception or app.builder.format != "html" or not script.exists():
        return
    # Icons are named in pages, style sheets' selectors and the theme's own script.
    used = set()
    for file in [*Path(app.outdir).rglob("*.html"), *(Path(app.outdir) / "_static" / "scripts").glob("*theme.js")]:
        used |= set(re.findall(r"fa-([a-z0-9-]+)", file.read_text(encoding="utf8")))
    text = script.read_text(encoding="utf8")
    # The sets are object literals of entries such as   "arrow-up":[384,512,[8593],"f062","M214..."]
    icon = re.compile(r'(?P<name>"[a-z0-9-]+"|[a-z0-9]+):\[\d+,\d+,\[[^\]]*\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?')

    def keep(match: re.Match) -> str:
        aliases = re.findall(r'"([a-z0-9-]+)"', match[0].split(",[", 1)[1].split("]", 1)[0])
        return match[0] if {match["name"].strip('"'), *aliases} & used else ""

    script.write_text(icon.sub(keep, text), encoding="utf8")


def setup(app):
    app.connect("config-inited", use_repository)
    app.connect("builder-inited", add_mathjax)
    app.connect("html-page-context", edit_the_source, priority=900)
    app.connect("html-page-context", name_references)
    app.connect("html-page-context", drop_idle_mathjax, priority=900)
    app.connect("build-finished", cut_fontawesome, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
