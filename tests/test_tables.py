import pytest

from amp_helpers.tables import Table


def test_text_is_aligned():
    table = Table(["format", "max"], [["a", 1.5], ["bfloat16", 65504.0]], caption="Limits.")
    assert repr(table).splitlines() == [
        "format      max",
        "--------  -----",
        "a           1.5",
        "bfloat16  65504",
        "Limits.",
    ]


def test_html_is_escaped_and_names_rows_and_columns():
    html = Table(["<b>"], [["<script>x</script>"]], caption="a & b")._repr_html_()
    assert "<script>" not in html and "<b>" not in html
    assert '<th scope="row">&lt;script&gt;' in html and '<th scope="col">&lt;b&gt;' in html
    assert "<caption>a &amp; b</caption>" in html


def test_empty_table():
    assert repr(Table(["a"], [])) == "a\n-"


def test_wrong_row_length():
    with pytest.raises(ValueError, match=r"row 1 has 1 cells, the header has 2: \['c'\]"):
        Table(["a", "b"], [["x", "y"], ["c"]])


def test_numbers_stand_right_and_words_left():
    table = Table(["name", "ratio", "why"], [["a", 10.5, "x"], ["b", 2, "longer"]])
    assert repr(table).splitlines() == [
        "name  ratio  why",
        "----  -----  ------",
        "a      10.5  x",
        "b         2  longer",
    ]


def test_html_lets_words_wrap_and_keeps_numbers_whole():
    html = Table(["name", "ratio", "why"], [["a", 10.5, "x"], ["b", "", "longer"]])._repr_html_()
    assert '<td>10.5</td><td class="words" style="text-align:left">x</td>' in html
    assert '<th scope="col">ratio</th><th scope="col" class="words" style="text-align:left">why</th>' in html
    assert '<th scope="row">a</th>' in html
    long = Table(["name", "ratio"], [["a" * 25, 1]])._repr_html_()
    assert Table(["a", "b"], [["<long_name_of_an_op>", 1]])._repr_html_().count("_<wbr>") == 4
    assert '<th scope="row" class="words" style="text-align:left">aaa' in long and "<td>1</td>" in long
    assert "<tbody>\n\n</tbody>" in Table(["a", "b"], [])._repr_html_()
