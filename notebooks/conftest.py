"""How nbval runs these notebooks: what is compared is the stored form of both outputs, and nothing else is relaxed.

1. Cells run with their history, as in Jupyter: without it `plot();` prints its result (nbval issue 194).
2. The fresh outputs are brought into the form that `tools/store.py` writes before they are compared, so that stderr,
   random widget ids and tracebacks do not count, while a widget's HTML twin, an error's name and its message do.
3. A cell tagged `gpu` is skipped where CUDA is missing, one tagged `tensorflow` unless NOTEBOOK_TENSORFLOW=1 is set.
   Where a `gpu` cell runs, it is not compared: its stored output is a record of another machine.
"""

import sys
from pathlib import Path

import nbval.kernel
import nbval.plugin
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from stored_form import stored_outputs, tags, tags_not_run_here


def execute_with_history(kernel, source, allow_stdin=None):
    return kernel.kc.execute(source, store_history=True, allow_stdin=allow_stdin, stop_on_error=False)


def compare_stored_form(cell, test, ref, skip_compare=None):
    return _compare_outputs(cell, stored_outputs(test), ref, skip_compare)


_compare_outputs = nbval.plugin.IPyNbCell.compare_outputs
nbval.kernel.RunningKernel.execute_cell_input = execute_with_history
nbval.plugin.IPyNbCell.compare_outputs = compare_stored_form


def pytest_collection_modifyitems(items):
    not_run_here = tags_not_run_here()
    for item in items:
        if not isinstance(item, nbval.plugin.IPyNbCell):
            continue
        missing = tags(item.cell) & not_run_here
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"tagged {', '.join(sorted(missing))}, which this run has not"))
        elif "gpu" in tags(item.cell):
            item.options["check"] = False
