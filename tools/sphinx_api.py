"""The API page: our docstring sections become field lists, and what the build cannot import is mocked.

A section is a line such as `Args:`, `Raises: ValueError if ...` or `Special values: ...`, with more lines indented
below it. Under `Args` and `Attributes` every entry is `name: text`. `Introduced in` becomes a link to the chapter.
"""

from __future__ import annotations

import re

#: In the order of the style guide. Other words before a colon are ordinary text.
SECTIONS = ("Args", "Attributes", "Shape", "Returns", "Yields", "Special values", "Raises", "Exactness", "Source")
SECTIONS += ("Introduced in",)
SECTION = re.compile(rf"^({'|'.join(SECTIONS)})(?: \(([^)]*)\))?:(?: +(.*))?$")
CHAPTER = re.compile(r"(notebooks/\w+)\.ipynb")
#: What `make book` does not install. Mocked also where it is installed, so that every build gives the same page.
MOCKED = ["anywidget", "ipywidgets", "libcst", "matplotlib", "ml_dtypes", "numpy", "torch", "torchvision"]


def field_lists(lines: list[str]) -> list[str]:
    """Return a docstring, already without its indentation, with its sections as reStructuredText fields."""
    text, fields = [], []
    into = text
    for line in lines:
        if match := SECTION.match(line):
            name, aside, first = match.groups("")
            into = fields
            fields.append(f":{name}: {aside and aside + '.'}{first}".rstrip())
            if aside:
                fields.append("")
        elif into is fields and line and not line.startswith(" "):
            into = text  # a paragraph after the sections
            text += ["", line]
        else:
            into.append(line)
    return [*_escape(text), "", *_arguments(_escape(fields)), ""]


def _escape(lines: list[str]) -> list[str]:
    """Keep reStructuredText from reading `(*,)` as emphasis or `name_` as a link, and from curling quotes."""
    escaped = []
    for line in lines:
        spans = re.split(r"""(`[^`]*`|"[^"\s]+")""", line)  # code and strings at the odd places
        spans[::2] = [
            re.sub(r"\*|(?<=\w)_(?!\w)|\|", r"\\\g<0>", CHAPTER.sub(r":doc:`/\1`", span)) for span in spans[::2]
        ]
        spans[1::2] = [f"``{span}``" if span.startswith('"') else span for span in spans[1::2]]
        escaped.append("".join(spans))
    return escaped


def _arguments(lines: list[str]) -> list[str]:
    """Make a list of `name: text` entries out of the lines below `Args` or `Attributes`."""
    result, inside, indent = [], False, 0
    for line in lines:
        if line.startswith(":"):
            inside = line.startswith((":Args:", ":Attributes:"))
            indent = 0
        elif inside and line.strip():
            depth = len(line) - len(line.lstrip())
            indent = indent or depth
            entry = re.match(r"\s+([\w\\*, ]+): (.*)$", line)
            line = f"    - ``{entry[1]}``: {entry[2]}" if entry and depth == indent else "      " + line.strip()
        result.append(line)
    return result


def rewrite(app, what, name, obj, options, lines) -> None:
    lines[:] = field_lists(lines)


def plain_signature(app, what, name, obj, options, signature, returned):
    """A mocked base class has no signature of its own; a widget takes its traits by name."""
    return ("(**traits)", returned) if signature == "(*args: Any, **kwargs: Any)" else None


def skip(app, what, name, obj, skipped, options) -> bool | None:
    """Leave out the fields of a NamedTuple: its signature names them, and their docstrings are Python's own."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def plain_if_foreign(app, env, node, contnode):
    """Types of other libraries stay plain text; a wrong name of our own is still an error of the build."""
    if node.get("refdomain") == "py" and not node.get("reftarget", "").startswith("amp_helpers"):
        return contnode
    return None


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.config.autodoc_mock_imports = MOCKED
    app.config.autodoc_default_options = {"members": True, "member-order": "bysource", "no-value": True}
    app.config.add_module_names = False  # the page names the module above its functions
    app.config.toc_object_entries_show_parents = "hide"
    app.config.default_role = "code"  # in docstrings `name` is code
    app.connect("autodoc-process-docstring", rewrite)
    app.connect("autodoc-process-signature", plain_signature)
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", plain_if_foreign)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
