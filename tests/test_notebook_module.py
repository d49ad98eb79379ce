"""`amp_helpers.notebook`: seeds, sources and errors, as a chapter uses them."""

import inspect
import random

import numpy
import pytest
import torch

from amp_helpers import formats, notebook
from amp_helpers.notebook import expected_error, needs, set_up, show_source


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def draws():
    return random.random(), numpy.random.rand(), torch.rand(()).item()


def test_set_up_repeats_every_generator():
    set_up(seed=1)
    first = draws()
    assert draws() != first
    set_up(seed=1)
    assert draws() == first
    set_up(seed=2)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


def test_set_up_fixes_the_threads_only_if_asked():
    torch.set_num_threads(2)
    set_up(threads=None)
    assert torch.get_num_threads() == 2
    set_up()
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("arguments", "message"), [({"seed": -1}, "-1"), ({"seed": 2**32}, "4294967296"), ({"threads": 0}, "not 0")]
)
def test_set_up_names_a_bad_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        set_up(**arguments)


@pytest.fixture
def shown(monkeypatch):
    """What `show_source` hands to IPython for an object."""
    bundles = []
    monkeypatch.setattr(notebook, "display", lambda data, raw: bundles.append(data) if raw else None)

    def data_for(obj):
        show_source(obj)
        return bundles.pop()

    return data_for


@pytest.mark.parametrize("obj", [formats.decode, formats.FloatFormat, formats.Fields, formats])
def test_show_source_shows_all_of_it(shown, obj):
    data = shown(obj)
    assert set(data) == {"text/markdown", "text/plain"}
    assert data["text/plain"] == inspect.getsource(obj).rstrip()
    assert data["text/markdown"] == f"```python\n{data['text/plain']}\n```"
    assert shown(obj) == data


def test_show_source_moves_a_method_to_the_margin(shown):
    assert shown(formats.FloatFormat.__post_init__)["text/plain"].startswith("def __post_init__(self):\n    if ")


def test_show_source_survives_a_fence_in_a_docstring(shown):
    def example():
        """A fence:

        ```
        code
        ```
        """

    data = shown(example)
    assert data["text/markdown"] == f"````python\n{data['text/plain']}\n````"


@pytest.mark.parametrize("obj", [len, torch.add, 42])
def test_show_source_explains_what_has_no_source(obj):
    with pytest.raises(TypeError, match="no Python source for"):
        show_source(obj)


def test_expected_error_prints_one_line(capsys):
    with expected_error(ValueError):
        raise ValueError("what was wrong")
    with expected_error():
        raise RuntimeError("any error")
    assert capsys.readouterr().out == "ValueError: what was wrong\nRuntimeError: any error\n"


def test_expected_error_fails_if_nothing_or_something_else_is_raised():
    with pytest.raises(AssertionError, match="expected ValueError or TypeError, but nothing was raised"):  # noqa: SIM117
        with expected_error(ValueError, TypeError):
            pass
    with pytest.raises(KeyError), expected_error(ValueError):
        raise KeyError("other")


def test_a_missing_package_is_named_in_one_line():
    needs("torch", extra="test")
    with pytest.raises(ModuleNotFoundError, match=r"^this chapter needs no_such_package: install no_such_package, or "):
        needs("no_such_package", extra="none")
