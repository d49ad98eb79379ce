"""The widgets' JavaScript as text that runs anywhere: one module with its imports folded in.

A module loaded from text (anywidget's `_esm`, a Blob in the published page) cannot import by path, so the files of
`static/widgets` that it imports are put in front of it, each in a scope of its own.
"""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
WIDGETS = STATIC / "widgets"

_IMPORT = re.compile(r'^import \{(?P<names>[^}]*)\} from "\./(?P<stem>\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|function|class) (?:\* )?)", re.MULTILINE)
_NAME = re.compile(r"^export (?:async )?(?:const|function|class) (\w+)", re.MULTILINE)
_LEFT = re.compile(r"^\s*(?:import\b|export\s*[{*])", re.MULTILINE)
_COMMENT = re.compile(r"^[ ]*(?://.*|/\*\*.*\*/)\n", re.MULTILINE)
_INDENT = re.compile(r"^[ ]+", re.MULTILINE)


def widget_kinds() -> list[str]:
    """Names of the modules that are widgets (they have a default export), sorted."""
    return sorted(path.stem for path in WIDGETS.glob("*.js") if "\nexport default " in path.read_text(encoding="utf-8"))


def module_source(kind: str) -> str:
    """The source of a widget's module with every module it imports folded in.

    Args:
        kind: the widget's name, the stem of its file in `static/widgets`.
    Raises: ValueError for an unknown kind, listing the known ones, or for an import or export form other than
        `import { a, b as c } from "./name.js";` and `export const / function / class`.
    """
    return "".join(_pieces(kind).values())


def _pieces(kind: str) -> dict[str, str]:
    """What a widget's source is put together from, by name and in order: the modules it imports, then its own."""
    if kind not in widget_kinds():
        raise ValueError(f"unknown widget {kind!r}; choose from {', '.join(widget_kinds())}")
    parts: dict[str, str] = {}
    main = _fold(kind, parts, ())
    return {**parts, f"widget {kind}": main}


def _fold(stem: str, parts: dict[str, str], above: tuple[str, ...]) -> str:
    """The body of a module, its imports replaced by lookups; the modules it needs are added to `parts` in order."""
    if stem in above:
        raise ValueError(f"{stem}.js imports itself through {' -> '.join(above)}")
    source = (WIDGETS / f"{stem}.js").read_text(encoding="utf-8")

    def look_up(match: re.Match) -> str:
        name = match["stem"]
        if name not in parts:
            body = _fold(name, parts, (*above, stem))
            exported = ", ".join(_NAME.findall((WIDGETS / f"{name}.js").read_text(encoding="utf-8")))
            parts[name] = f"const $${name} = (() => {{\n{_EXPORT.sub('', body)}return {{ {exported} }};\n}})();\n"
        return f"const {{{match['names'].replace(' as ', ': ')}}} = $${name};\n"

    body = _IMPORT.sub(look_up, source)
    left = _LEFT.search(_EXPORT.sub("", body))
    if left:
        raise ValueError(f"{stem}.js: this import or export cannot be folded in: {left[0].strip()!r}")
    return _INDENT.sub("", _COMMENT.sub("", body))


def page_script() -> str:
    """The published page's one script: the host and every widget, each module once."""
    import json

    widgets = {kind: _pieces(kind) for kind in widget_kinds()}
    modules = {name: text for pieces in widgets.values() for name, text in pieces.items()}
    texts = json.dumps(modules, ensure_ascii=False)
    names = json.dumps({kind: list(pieces) for kind, pieces in widgets.items()})
    host = (STATIC / "book" / "host.js").read_text(encoding="utf-8")
    marker = "const [MODULES, WIDGETS] = [{}, {}]; /* AMP_SOURCES */"
    if marker not in host:
        raise ValueError(f"host.js has lost its marker {marker!r}")
    return host.replace(marker, f"const [MODULES, WIDGETS] = [{texts}, {names}];")
