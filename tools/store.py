"""Execute notebooks and store their outputs, so that storing twice changes no byte.

    python tools/store.py [--check] [--refresh] [notebooks ...]

A cell tagged `nbval-ignore-output` is executed but keeps its stored output while its source is unchanged; a cell
tagged `gpu` runs only where CUDA is, one tagged `tensorflow` only where NOTEBOOK_TENSORFLOW=1 is set, and both keep
their record elsewhere. `--refresh` replaces the records that can be made here. A notebook that fails stays as it was.
"""

from __future__ import annotations

import argparse
import copy
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from stored_form import (
    LARGEST_NOTEBOOK,
    MACHINE_TAGS,
    NO_GPU_RECORD,
    NO_TENSORFLOW_RECORD,
    StoreError,
    fingerprint,
    has_current_record,
    normalise,
    stored_outputs,
    tags,
    tags_not_run_here,
    too_large,
)

CELL_TIMEOUT_S = 600


def execute(notebook: NotebookNode, folder: Path, refresh: bool = False) -> list[str]:
    """Run the cells in place, in `folder`, and put the outputs that are kept back.

    Returns: remarks on records that were lost because their source changed.
    Raises: StoreError naming the cell that failed.
    """
    remarks = []
    not_run_here = tags_not_run_here()
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # else every kernel warns about its local ports
        shutdown_kernel="immediate",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            record = copy.deepcopy(cell.outputs) if has_current_record(cell) else None
            skipped = tags(cell) & not_run_here
            if not skipped:
                _execute_cell(client, cell, index)
            kept = skipped or (tags(cell) & MACHINE_TAGS and not refresh)
            if kept and record is not None:
                cell.outputs = record
            elif skipped:
                if cell.metadata.get("stored_source", "") != fingerprint(cell.source) and cell.outputs:
                    remarks.append(
                        f"cell {index}: its record is gone, because the source is not the one that was recorded"
                    )
                text = NO_GPU_RECORD if "gpu" in skipped else NO_TENSORFLOW_RECORD
                cell.outputs = [new_output("stream", name="stdout", text=text)]
    return remarks


def _execute_cell(client: NotebookClient, cell: NotebookNode, index: int) -> None:
    expected = "raises-exception" in tags(cell)
    first_line = cell.source.strip().partition("\n")[0]
    try:
        client.execute_cell(cell, index)
    except CellExecutionError as error:
        raise StoreError(f"cell {index} ({first_line}): {error.ename}: {error.evalue}") from None
    except CellTimeoutError:
        raise StoreError(f"cell {index} ({first_line}): still running after {CELL_TIMEOUT_S} s") from None
    except DeadKernelError:
        raise StoreError(f"cell {index} ({first_line}): the kernel died") from None
    raised = any(output.output_type == "error" for output in cell.outputs)
    if expected and not raised:
        raise StoreError(f"cell {index} ({first_line}): tagged raises-exception, but nothing was raised")
    try:
        stored_outputs(cell.outputs)
    except StoreError as error:
        raise StoreError(f"cell {index} ({first_line}): {error}") from None


def stored_text(path: Path, refresh: bool = False) -> tuple[str, list[str]]:
    """Execute the notebook at `path` and return the text to store, and remarks.

    Raises: StoreError if it is not a notebook, a cell fails or an output is too large.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError) as error:
        raise StoreError(f"cannot be read as a notebook: {error}") from None
    remarks = execute(notebook, path.parent, refresh)
    normalise(notebook)
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and (found := too_large(cell)):
            raise StoreError(f"cell {index}: {found}")
    nbformat.validate(notebook)
    text = nbformat.writes(notebook, version=4).rstrip("\n") + "\n"
    if len(text.encode()) > LARGEST_NOTEBOOK:
        raise StoreError(f"{len(text.encode()):,} bytes; at most {LARGEST_NOTEBOOK:,}")
    return text, remarks


def replace_file(path: Path, text: str) -> None:
    """Write all of `text` or nothing: an interruption leaves the old file."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=path.parent, delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(text)
            file.close()
            shutil.copymode(path, temporary)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python tools/store.py", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file would change")
    parser.add_argument("--refresh", action="store_true", help="replace kept outputs too")
    parser.add_argument("paths", nargs="*", type=Path, help="default: notebooks/*.ipynb")
    options = parser.parse_args(arguments)
    paths = options.paths or sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
    failed = stale = 0
    for path in paths:
        try:
            text, remarks = stored_text(path, options.refresh)
        except StoreError as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed += 1
            continue
        changed = text != path.read_bytes().decode("utf-8")
        stale += changed
        if changed and not options.check:
            replace_file(path, text)
        outcome = ("would change" if options.check else "stored") if changed else "unchanged"
        print("\n".join([f"{path}: {outcome}", *remarks]), flush=True)
    return int(bool(failed or (options.check and stale)))


if __name__ == "__main__":
    sys.exit(main())
