"""The built book, read as files: complete, loads nothing from elsewhere, every link and anchor leads somewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).parents[1]

LOADING = {
    "script": ["src"],
    "img": ["src", "srcset"],
    "iframe": ["src"],
    "source": ["src", "srcset"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "form": ["action"],
    "track": ["src"],
}
LOADING_RELS = {"stylesheet", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "icon", "manifest"}
FOREIGN = re.compile(r"^\s*(https?:)?//", re.I)
KNOWN_CDN = re.compile(r"https?://[\w.-]*(cdn|unpkg|jsdelivr|cloudflare|googleapis|gstatic)", re.I)


class Page(HTMLParser):
    """What a page loads, links to, anchors and shows."""

    def __init__(self, path: Path):
        super().__init__()
        self.loads, self.links, self.anchors, self.images, self.inline = [], [], set(), [], []
        self._script = False
        self.feed(path.read_text(encoding="utf8"))

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self._script = tag == "script"
        self.loads += [a[key] for key in LOADING.get(tag, []) if a.get(key)]
        if tag == "link" and LOADING_RELS & set((a.get("rel") or "").split()):
            self.loads.append(a.get("href") or "")
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        if tag == "img":
            self.images.append(a)
        self.anchors |= {a[key] for key in ("id", "name") if a.get(key)}

    def handle_data(self, data):
        if self._script:
            self.inline.append(data)


@pytest.fixture(scope="module")
def pages(book_html) -> dict[Path, Page]:
    files = [path for path in sorted(book_html.rglob("*.html")) if "_static" not in path.parts]  # the theme's templates
    return {path: Page(path) for path in files}


def toc_entries(node) -> list[str]:
    if isinstance(node, list):
        return [entry for item in node for entry in toc_entries(item)]
    own = [node[key] for key in ("root", "file") if key in node]
    return own + [entry for key in ("parts", "chapters", "sections") for entry in toc_entries(node.get(key, []))]


def test_every_page_of_the_contents_is_built(book_html):
    entries = toc_entries(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8")))
    assert "notebooks/01_float_bits" in entries
    for entry in [*entries, "404", "search"]:
        assert (book_html / f"{entry}.html").exists(), entry


def test_every_notebook_and_page_is_in_the_contents():
    entries = set(toc_entries(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))))
    files = {f"notebooks/{p.stem}" for p in (ROOT / "notebooks").glob("*.ipynb")} | {
        f"book/{p.stem}" for p in (ROOT / "book").glob("*.md")
    }
    assert files <= entries


def test_pages_load_nothing_from_another_host(pages):
    bad = [(path.name, url) for path, page in pages.items() for url in page.loads if FOREIGN.match(url)]
    bad += [(path.name, text[:80]) for path, page in pages.items() for text in page.inline if KNOWN_CDN.search(text)]
    assert not bad


def test_style_sheets_load_nothing_from_another_host(book_html):
    bad = []
    for sheet in book_html.rglob("*.css"):
        text = sheet.read_text(encoding="utf8")
        bad += [(sheet.name, url) for url in re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^)'\"]+)", text)]
    assert not bad


def test_what_pages_load_exists(pages, book_html):
    for path, page in pages.items():
        for url in page.loads:
            if urlsplit(url).scheme in ("", "file"):
                # The 404 page may be shown at any depth, so its addresses start at the root.
                base = book_html if url.startswith("/") else path.parent
                file = (base / unquote(urlsplit(url).path).lstrip("/")).resolve()
                assert file.exists(), f"{path.name} loads {url}"


def test_internal_links_lead_somewhere(pages, book_html):
    missing = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            base = book_html if link.startswith("/") else path.parent
            target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            anchor = unquote(parts.fragment)
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                missing.append(f"{path.relative_to(book_html)} -> {link}")
    assert not missing


def test_every_image_has_alt_text_written_for_readers(pages):
    for path, page in pages.items():
        for image in page.images:
            alt = image.get("alt")
            assert alt is not None, f"{path.name}: {image.get('src')}"
            assert not re.search(r"\.(png|svg|jpe?g)\b|[0-9a-f]{16}", alt), (
                f"{path.name}: alt text {alt!r} is a file name"
            )


def test_chapters_have_a_live_widget_and_no_other_widget_machinery(book_html):
    text = (book_html / "notebooks" / "01_float_bits.html").read_text(encoding="utf8")
    assert '<amp-widget kind="bit_explorer"' in text
    for trace in ("require.js", "embed-amd", "html-manager", "vnd.jupyter.widget", "thebe"):
        assert trace not in text


def test_only_the_needed_files_of_mathjax_are_copied(book_html):
    files = [p for p in (book_html / "_static" / "mathjax").rglob("*") if p.is_file()]
    assert {p.suffix for p in files} == {".js", ".woff"}
    assert [p.name for p in files if p.suffix == ".js"] == ["tex-chtml.js"]


def test_icons_that_pages_use_survive_the_cut(book_html):
    script = (book_html / "_static" / "scripts" / "fontawesome.js").read_text(encoding="utf8")
    used = set(
        re.findall(r'"fa-(?:solid|regular|brands) fa-([a-z-]+)', (book_html / "index.html").read_text(encoding="utf8"))
    )
    assert used and len(script) < 200_000
    for name in used:
        assert re.search(rf'["{{,]{re.escape(name)}"?:\[\d+,\d+,|"{re.escape(name)}"', script), name


#: The theme's classes of what REPOSITORY turns on.
BUTTONS = ("dropdown-launch-buttons", "dropdown-source-buttons")


def test_no_address_without_repository(pages):
    for path in pages:
        text = path.read_text(encoding="utf8")
        for trace in (*BUTTONS, "colab.research.google.com", "mybinder.org"):
            assert trace not in text, f"{path.name}: {trace}"


@pytest.mark.slow
def test_repository_turns_on_launch_buttons_and_edit_links(tmp_path):
    jupyter_book = str(Path(sys.executable).with_name("jupyter-book"))
    build = [jupyter_book, "build", ".", "--path-output", str(tmp_path), "-n", "-W", "-q"]
    env = {**os.environ, "REPOSITORY": "some-owner/some.name"}
    done = subprocess.run(build, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    html = tmp_path / "_build" / "html"
    chapter = (html / "notebooks" / "01_float_bits.html").read_text(encoding="utf8")
    assert (
        "https://colab.research.google.com/github/some-owner/some.name/blob/published/notebooks/01_float_bits.ipynb"
        in chapter
    )
    assert "https://github.com/some-owner/some.name/edit/main/notebooks/01_float_bits.ipynb" in chapter
    assert "/edit/published/" not in chapter
    assert all(button in chapter for button in BUTTONS)
    assert 'href="/some.name/_static/' in (html / "404.html").read_text(encoding="utf8")


def test_a_wrong_repository_is_refused(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import sphinx_book

    monkeypatch.setenv("REPOSITORY", "https://example.com/x")
    with pytest.raises(ValueError, match=r"REPOSITORY must be owner/name, not 'https://example.com/x'"):
        sphinx_book.use_repository(None, None)
