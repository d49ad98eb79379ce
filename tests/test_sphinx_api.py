"""From our docstrings to the fields of the API page."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from sphinx_api import field_lists


def fields(docstring: str) -> list[str]:
    return [line for line in field_lists(docstring.splitlines()) if line.strip()]


def test_arguments_become_a_list_and_keep_their_further_lines():
    assert fields("Do it.\n\nArgs:\n    x: a tensor of\n        any shape.\n    fmt, mode: names.\n") == [
        "Do it.",
        ":Args:",
        "    - ``x``: a tensor of",
        "      any shape.",
        "    - ``fmt, mode``: names.",
    ]


def test_attributes_are_listed_as_arguments_are():
    assert fields("Attributes:\n    x: a tensor.\n    a, b: two.")[1:] == [
        "    - ``x``: a tensor.",
        "    - ``a, b``: two.",
    ]


@pytest.mark.parametrize("name", ["Shape", "Returns", "Special values", "Raises", "Exactness", "Source"])
def test_a_section_becomes_a_field(name):
    assert fields(f"Do it.\n\n{name}: one line\n    and another.\n") == [
        "Do it.",
        f":{name}: one line",
        "    and another.",
    ]


def test_an_aside_of_the_arguments_is_kept():
    assert fields("Args (all by name):\n    x: a number.")[:2] == [":Args: all by name.", "    - ``x``: a number."]


def test_other_words_before_a_colon_are_text():
    assert fields("Note: nothing else\nArguments: as before.") == ["Note: nothing else", "Arguments: as before."]


def test_text_after_the_sections_stays_text():
    assert fields("One.\n\nRaises: an error.\nTwo.") == ["One.", "Two.", ":Raises: an error."]


def test_the_chapter_becomes_a_link():
    assert fields("Introduced in: notebooks/01_float_bits.ipynb") == [":Introduced in: :doc:`/notebooks/01_float_bits`"]


def test_marks_are_escaped_outside_code_and_strings():
    text = 'Shape (*,), 2**-15, name_ and `a*b_ ` and "x_*" and "two words".'
    assert fields(text) == [r'Shape (\*,), 2\*\*-15, name\_ and `a*b_ ` and ``"x_*"`` and "two words".']
