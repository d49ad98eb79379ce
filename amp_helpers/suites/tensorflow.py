"""What TensorFlow does with the policies and loops of chapter 16, run in an environment that has it.

The experiments stand in `tensorflow_experiments`. Keras picks its backend once in a process, so they run in one of
their own, with a Python that has TensorFlow.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from amp_helpers.tables import Table

from . import tensorflow_experiments as experiments
from .run import Bench

VARIABLE = "TENSORFLOW_PYTHON"
#: Where `make test-tensorflow` puts its environment, in a checkout.
FOLDER = Path(__file__).parents[2] / ".venv-tensorflow"
TIMEOUT_S = 300
#: No GPU, so that every machine shows the same; no log that is not an error; one order of additions.
_SETTINGS = {
    "KERAS_BACKEND": "tensorflow",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTRAOP_THREADS": "1",
}
#: How a value of a column is shown; the record has all its digits.
_SHOWN = {
    "loss": ".4f",
    "last_loss": ".2f",
    "accuracy": ".0%",
    "one_softmax": ".4f",
    "two_softmaxes": ".4f",
    "zero_gradients": ".1%",
    "change": ".3f",
    "scale": ",.0f",
}


def tensorflow_python() -> Path:
    """The Python that has TensorFlow: TENSORFLOW_PYTHON if it is set, a checkout's `.venv-tensorflow`, or this one.

    Raises: ValueError saying what to do if there is none, or if TENSORFLOW_PYTHON names no file.
    Introduced in: notebooks/16_keras_and_tensorflow.ipynb
    """
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise ValueError(f"{VARIABLE}={named} is no file: name a Python that has tensorflow and keras")
        return Path(named)
    for path in (FOLDER / "bin" / "python", FOLDER / "Scripts" / "python.exe"):
        if path.exists():
            return path
    # On Colab TensorFlow stands beside PyTorch. A mere folder of that name has no origin.
    found = importlib.util.find_spec("tensorflow")
    if found and found.origin:
        return Path(sys.executable)
    raise ValueError(
        f"no TensorFlow here: in a checkout `make test-tensorflow` makes an environment that has it; "
        f"elsewhere set {VARIABLE} to a Python that has tensorflow and keras"
    )


def run_experiment(name: str) -> list[dict]:
    """The rows of one experiment, which takes a few seconds.

    Args:
        name: of a function in `tensorflow_experiments.EXPERIMENTS`, or "versions".
    Raises: ValueError for another name, or without TensorFlow; RuntimeError with the last line of what went wrong.
    Introduced in: notebooks/16_keras_and_tensorflow.ipynb
    """
    known = [function.__name__ for function in (*experiments.EXPERIMENTS, experiments.versions)]
    if name not in known:
        raise ValueError(f"unknown experiment {name!r}; choose from {', '.join(known)}")
    python = tensorflow_python()
    # -P: the folder of the script holds a tensorflow.py, which is this file.
    command = [str(python), "-P", str(experiments.__file__), name]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | _SETTINGS
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    except OSError as error:
        raise ValueError(f"{python} cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"experiment {name} with TensorFlow took more than {TIMEOUT_S} s") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise RuntimeError(f"experiment {name} with TensorFlow failed: {reason}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def show_experiment(name: str) -> Table | None:
    """The rows of one experiment as a table; where there is no TensorFlow, a line that says so, and None.

    Args:
        name: as in `run_experiment`.
    Raises: as `run_experiment`, except for a missing TensorFlow.
    Introduced in: notebooks/16_keras_and_tensorflow.ipynb
    """
    try:
        tensorflow_python()
    except ValueError as error:
        print(f"Not run: {error}.")
        return None
    rows = run_experiment(name)
    columns = list(rows[0])
    body = [[_text(column, row[column]) for column in columns] for row in rows]
    return Table([column.replace("_", " ") for column in columns], body)


def _text(column: str, value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format(value, _SHOWN.get(column, ""))


def header() -> dict[str, str]:
    """What a record's header says besides: the versions of TensorFlow and Keras.

    Raises: ValueError without an environment that has both.
    """
    try:
        (found,) = run_experiment("versions")
    except RuntimeError as error:
        raise ValueError(error) from None
    return {name: found[name] for name in ("tensorflow", "keras")}


def _part(name: str, bench: Bench) -> Iterator[dict]:
    bench.check_time()
    yield from run_experiment(name)


#: The same at any size: a rehearsal differs from a measurement only in that it is not stored.
PARTS: dict[str, Callable[[Bench], Iterator[dict]]] = {
    function.__name__: functools.partial(_part, function.__name__) for function in experiments.EXPERIMENTS
}
