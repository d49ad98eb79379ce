"""What a stored notebook looks like: the pure part of `store.py`, which nbval's adjustments share.

Metadata is set from a whitelist, cell ids come from the headings, counts run from 1, and an output keeps only what two
runs have in common: no stderr, no random ids, no live widget views, a traceback as `Name: message`.
"""

from __future__ import annotations

import hashlib
import os
import re

from nbformat import NotebookNode, from_dict

NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
    # What Colab reads: ask for a GPU, a T4 being enough.
    "accelerator": "GPU",
    "colab": {"gpuType": "T4"},
}
#: Cells whose output belongs to the machine that printed it; it is kept although the cell runs again.
MACHINE_TAGS = {"nbval-ignore-output", "gpu"}
#: Cells whose output is a record: it counts as long as the cell's source is the one that printed it.
RECORD_TAGS = MACHINE_TAGS | {"tensorflow"}
#: Cells that front ends show folded (the book folds them too, by tag or by the solution's dropdown).
FOLDED_TAGS = {"hide-cell", "solution"}
NO_GPU_RECORD = "not yet run on a GPU\n"
NO_TENSORFLOW_RECORD = "not yet run with TensorFlow\n"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
#: What may stand in for a live widget in the stored notebook.
TWINS = ("text/html", "image/png")
LARGEST_OUTPUT = 60_000  # bytes of one picture, or characters of one text
LARGEST_HTML = 120_000  # characters: a long table, of which a web server sends a fifth
LARGEST_NOTEBOOK = 600_000

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class StoreError(Exception):
    """A notebook cannot be stored as it is; the message says which cell and why."""


def tags(cell: NotebookNode) -> set[str]:
    """Return the tags of a cell."""
    return set(cell.metadata.get("tags", ()))


def tags_not_run_here() -> set[str]:
    """Return the tags whose cells this machine does not run: `gpu` without CUDA, `tensorflow` unless asked for."""
    try:
        import torch
    except ImportError:
        cuda = False
    else:
        cuda = torch.cuda.is_available()
    return {tag for tag, runs in (("gpu", cuda), ("tensorflow", os.environ.get("NOTEBOOK_TENSORFLOW"))) if not runs}


def fingerprint(source: str) -> str:
    """Return twelve hexadecimal digits that identify a cell's source; kept as its metadata `stored_source`."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def has_current_record(cell: NotebookNode) -> bool:
    """Whether the cell carries outputs that this very source printed."""
    empty = any(output.get("text") in (NO_GPU_RECORD, NO_TENSORFLOW_RECORD) for output in cell.outputs)
    return cell.metadata.get("stored_source") == fingerprint(cell.source) and not empty


def stored_outputs(outputs: list[NotebookNode], count: int | None = None) -> list[NotebookNode]:
    """Return the outputs of one cell in stored form.

    A live widget's view is dropped and its twin (`text/html` or a PNG in the same bundle) stays. A plain ipywidget has
    no twin: it is dropped if the cell also shows a figure, and refused otherwise.

    Raises: StoreError for a widget that would leave nothing in the published page.
    """
    figure = any("image/png" in output.get("data", {}) for output in outputs)
    kept: list[NotebookNode] = []
    for output in outputs:
        kind = output.output_type
        if kind == "stream":
            if output.name == "stderr":
                continue
            if kept and kept[-1].output_type == "stream":  # how prints are grouped depends on timing
                kept[-1]["text"] += output.text
                continue
            new = {"output_type": kind, "name": output.name, "text": output.text}
        elif kind == "error":
            message = ANSI.sub("", output.evalue)
            line = f"{output.ename}: {message}" if message else output.ename
            new = {"output_type": kind, "ename": output.ename, "evalue": message, "traceback": [line]}
        else:
            data = {mime: value for mime, value in output.data.items() if mime != WIDGET_VIEW}
            if WIDGET_VIEW in output.data and not any(mime in data for mime in TWINS):
                if not figure:
                    raise StoreError(
                        "a widget without a static twin; show a figure in the same cell, or use amp_helpers.widgets"
                    )
                continue
            new = {"output_type": kind, "data": data, "metadata": _picture_size(output)}
            if kind == "execute_result":
                new["execution_count"] = count
        kept.append(from_dict(new))
    return kept


def _picture_size(output: NotebookNode) -> dict:
    """Keep the size at which a picture is shown, which differs from its pixels on dense figures."""
    size = output.get("metadata", {}).get("image/png", {})
    size = {key: size[key] for key in ("width", "height") if key in size}
    return {"image/png": size} if size else {}


def too_large(cell: NotebookNode) -> str:
    """Return what is too large about a cell's outputs, in words, or an empty string."""
    for output in cell.outputs:
        for mime, value in output.get("data", {"text": output.get("text", "")}).items():
            size = len(value) * 3 // 4 if mime.startswith("image/") else len(str(value))
            limit = LARGEST_HTML if mime == "text/html" else LARGEST_OUTPUT
            if size > limit:
                return f"an output of {size:,} bytes, at most {limit:,}"
    return ""


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook in stored form; the argument is changed too. Applying it twice changes nothing."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = from_dict(NOTEBOOK_METADATA)
    count = 0
    for cell, cell_id in zip(notebook.cells, _cell_ids(notebook), strict=True):
        cell.id = cell_id
        cell.source = cell.source.rstrip("\n")
        cell.metadata = from_dict(_cell_metadata(cell))
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = stored_outputs(cell.outputs, count)
    return notebook


def _cell_metadata(cell: NotebookNode) -> dict:
    """Keep what an author writes (tags, alt text, captions); set what follows from it."""
    kept = {key: cell.metadata[key] for key in ("tags", "mystnb") if cell.metadata.get(key)}
    if cell.cell_type == "code":
        if tags(cell) & FOLDED_TAGS:
            hidden = {"outputs_hidden": True} if "solution" in tags(cell) else {}
            kept |= {"cellView": "form", "jupyter": {"source_hidden": True, **hidden}}
        if tags(cell) & RECORD_TAGS:
            kept["stored_source"] = fingerprint(cell.source)
    return kept


def _cell_ids(notebook: NotebookNode) -> list[str]:
    """Name each cell after the heading above it, so that a new cell renames only its section's."""
    ids, used, slug = [], {}, "top"
    for cell in notebook.cells:
        heading = re.match(r"#{1,2} +(.+)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            slug = re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-")[:40].strip("-") or "section"
        used[slug] = used.get(slug, 0) + 1
        ids.append(f"{slug}-{used[slug]}")
    return ids
