"""Every notebook keeps every rule, and every rule rejects a notebook that breaks it."""

import base64
import copy
from pathlib import Path

import nbformat
import notebook_rules
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from number_rules import numbers_in_prose
from setup_cell import SETUP_CELL
from stored_form import NO_GPU_RECORD, WIDGET_VIEW, fingerprint, normalise

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
RULES = {rule.__name__: rule for rule in notebook_rules.RULES}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_keeps_every_rule(path):
    assert notebook_rules.findings(nbformat.read(path, as_version=4)) == []


def test_there_are_notebooks():
    assert [path.name for path in NOTEBOOKS][:1] == ["00_template.ipynb"]


# --- a miniature that keeps every rule, and what each rule must reject ------------------------------

PNG = base64.b64encode(b"\x89PNG" + bytes(200)).decode()
FIGURE = {"image": {"alt": "A line that rises to the right"}, "figure": {"caption": "A line that rises."}}


def printed(text):
    return [new_output("stream", name="stdout", text=text)]


def code(source, outputs=(), tags=(), **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags), **metadata})


def miniature():
    markdown = new_markdown_cell
    cells = [
        markdown("# A tenth is not stored exactly"),
        markdown(
            "## What you will do\n\n**Do.** Something.\n\n**Learn.**\n- One thing.\n- Another.\n\n"
            "**Need.** 1 minute on a CPU, 20 seconds on a GPU."
        ),
        markdown("## Set-up"),
        code(SETUP_CELL, tags=["hide-cell"]),
        code("import math"),
        markdown("## What is a half?\n\n**Predict.** How is it printed?"),
        code("print(1 / 2, 65504)", printed("0.5 65504\n")),
        markdown("It is 0.5."),
        code("plot()", [new_output("display_data", {"image/png": PNG, "text/plain": "figure"})], mystnb=FIGURE),
        markdown("A line."),
        markdown("## What is a third?\n\n**Predict.** Does it end?"),
        code("print(seconds)", printed("12.5\n"), ["nbval-ignore-output"]),
        code("assert 1 / 3 < 1"),
        markdown("It depends on the machine."),
        code("1 / 0", [new_output("error", ename="E", evalue="m", traceback=["E: m"])], ["raises-exception", "wrong"]),
        markdown("That was wrong."),
        markdown("## What does a GPU do?\n\n**Predict.** What does it do?"),
        code("measure()", printed(NO_GPU_RECORD), ["gpu"]),
        markdown("Nothing here."),
        code("print(torch.__version__)", printed("2.15\n"), ["version"]),
        markdown("That depends on torch."),
        markdown("## Exercises"),
        markdown(":::{exercise} Name it\n:label: ex-name\n\nName it.\n:::"),
        code("answer = ...\ncheck_name(answer)", printed("Not answered yet\n"), ["exercise"]),
        markdown(":::{solution-start} ex-name\n:label: sol-name\n:class: dropdown\n:::\n\nSo."),
        code("answer = 1\ncheck_name(answer)", printed("Right\n"), ["solution"]),
        markdown(":::{solution-end}\n:::"),
        markdown("## Recap\n\n- One.\n- Two, and 65,504."),
        markdown("## In practice\n\nDo it."),
        markdown("## Sources\n\n- [A page](https://example.org)"),
    ]
    return normalise(new_notebook(cells=cells))


def test_the_miniature_keeps_every_rule():
    assert notebook_rules.findings(miniature()) == []


def find(notebook, start):
    """The first cell whose source begins so."""
    return next(cell for cell in notebook.cells if cell.source.startswith(start))


def drop(notebook, start):
    notebook.cells.remove(find(notebook, start))


def replace(notebook, start, old, new):
    cell = find(notebook, start)
    assert old in cell.source
    cell.source = cell.source.replace(old, new)


def show(notebook, start, *outputs):
    find(notebook, start).outputs = list(outputs)


def text_after_half(text):
    return lambda n: replace(n, "It is 0.5.", "It is 0.5.", text)


def source(text, start="print(1 / 2"):
    return lambda n: setattr(find(n, start), "source", text)


BROKEN = [
    ("title", lambda n: drop(n, "# A"), "`# Title`"),
    ("title", lambda n: replace(n, "# A", "# A tenth is not stored exactly", "# Tenths"), "four words"),
    ("title", text_after_half("# Another title of a page"), "there are 2"),
    ("order", lambda n: replace(n, "## Recap", "Recap", "Summary"), "the fixed sections are"),
    ("order", lambda n: n.cells.append(new_markdown_cell("## One more?")), "between Set-up and Exercises"),
    ("order", lambda n: drop(n, "## What is a third?"), "there are 2"),
    ("order", text_after_half("It is.\n\n## Is it?"), "opens its own cell"),
    ("promises", lambda n: replace(n, "## What you", "**Do.**", "Do."), "**Do.**"),
    ("promises", lambda n: replace(n, "## What you", "20 seconds on a GPU", "a GPU"), "both machines"),
    ("promises", lambda n: replace(n, "## What you", "- Another.\n", ""), "2 lines for 1 promises"),
    ("promises", lambda n: replace(n, "## What you", "- One thing.\n- Another.", "Things."), "needs a list"),
    ("set_up", lambda n: replace(n, "# @title", "import os\n", ""), "byte for byte"),
    ("set_up", lambda n: find(n, "# @title").metadata.update(tags=[]), "hide-cell"),
    ("set_up", lambda n: drop(n, "import math"), "there are 1"),
    ("set_up", source("\n".join(["import math"] * 11), "import math"), "11 lines of imports"),
    ("shape_of_sections", lambda n: replace(n, "## What is a half?", "half?", "half"), "should be a question"),
    ("shape_of_sections", lambda n: replace(n, "## What is a half?", "**Predict.**", "Guess:"), "**Predict.**"),
    ("shape_of_sections", lambda n: drop(n, "A line."), "no reading follows"),
    ("shape_of_sections", lambda n: [drop(n, "measure"), drop(n, "print(torch")], "no code cell answers"),
    ("prose_between", lambda n: drop(n, "It is 0.5."), "no prose between"),
    ("wrong_is_said", lambda n: replace(n, "That was wrong.", "wrong", "odd"), "tagged wrong"),
    ("exercise_form", lambda n: replace(n, ":::{exercise}", ":label: ex-name\n", ""), "needs a line `:label: ex-...`"),
    ("exercise_form", lambda n: drop(n, ":::{exercise}"), "holds no :::{exercise}"),
    ("exercise_form", lambda n: drop(n, "answer = 1"), "wants attempt"),
    ("exercise_form", lambda n: drop(n, ":::{solution-end}"), "wants attempt"),
    ("exercise_form", lambda n: replace(n, ":::{solution-start}", "ex-name", "ex-other"), "wants attempt"),
    ("exercise_form", lambda n: replace(n, ":::{solution-start}", ":class: dropdown\n", ""), ":class: dropdown"),
    ("exercise_form", source("answer = 1\ncheck_other(answer)", "answer = 1"), "same check_* function"),
    ("exercise_form", source("answer = 2\ncheck_name(answer)", "answer = ..."), "leaves `...`"),
    ("exercise_form", lambda n: show(n, "answer = 1", *find(n, "answer = ...").outputs), "otherwise than"),
    ("exercise_form", lambda n: find(n, "print(1 / 2").metadata.update(tags=["solution"]), "belongs to no exercise"),
    ("conclusions", source("1 / 3 < 1", "assert"), "needs an assert"),
    ("conclusions", lambda n: find(n, "assert").metadata.update(tags=["gpu"]), "an untagged cell must follow"),
    ("cell_size", source("\n".join(f"x = {i}" for i in range(21))), "21 lines, at most 20"),
    ("cell_size", source("class A:\n" + "\n".join(f"    x = {i}" for i in range(30))), "31 lines, at most 30"),
    ("cell_size", source(" "), "empty"),
    ("line_width", source("x = " + "1 + " * 20 + "1"), "a line has 85 characters"),
    ("cell_size", lambda n: [c.update(source="x = 1\n" * 6) for c in n.cells if c.cell_type == "code"], "median"),
    (
        "plotting",
        source("\n".join(["plt.plot()", "ax.set()", "axes[0].grid()", "fig.show()", "ax2.plot()"])),
        "5 lines",
    ),
    ("known_tags", lambda n: find(n, "import math").metadata.update(tags=["nbval-skip"]), "nbval-skip"),
    ("known_tags", lambda n: find(n, "A line.").metadata.update(tags=["gpu"]), "unknown tags"),
    ("known_tags", source("print(1)", "print(torch"), "must print the version"),
    ("known_tags", source("# NBVAL_IGNORE_OUTPUT\nprint(1)"), "not a comment"),
    ("known_tags", source("a = 1\nmeasure()", "measure()"), "one statement"),
    ("run_in_order", lambda n: find(n, "plot()").update(execution_count=9), "its count is 9"),
    ("run_in_order", lambda n: find(n, "plot()").update(execution_count=None), "its count is None"),
    ("stored_form", lambda n: n.metadata.update(colab={"provenance": []}), "its metadata"),
    ("stored_form", lambda n: find(n, "plot()").metadata.update(executionInfo={}), "cell 8: metadata is"),
    ("stored_form", lambda n: find(n, "plot()").update(id="a1b2c3d4"), "cell 8: id is"),
    ("stored_form", lambda n: n.cells.insert(5, n.cells.pop(7)), "cell 5 and 2 more: id is"),
    ("stored_form", lambda n: find(n, "plot()").update(cell_type="figure"), "not a valid notebook"),
    ("records", source("print(minutes)", "print(seconds)"), "its source changed"),
    ("records", lambda n: show(n, "print(1 / 2", *printed(NO_GPU_RECORD)), "without the tag gpu"),
    ("clean_outputs", lambda n: n.metadata.update(widgets={}), "widget state"),
    ("clean_outputs", lambda n: show(n, "plot", new_output("stream", name="stderr", text="w")), "stderr"),
    ("clean_outputs", lambda n: show(n, "plot", new_output("display_data", {WIDGET_VIEW: {}})), "live widget"),
    ("clean_outputs", lambda n: find(n, "1 / 0").metadata.update(tags=["wrong"]), "stored error E"),
    ("clean_outputs", lambda n: find(n, "1 / 0").outputs[0].update(traceback=["---", "E: m"]), "'Name: message'"),
    ("clean_outputs", lambda n: show(n, "print(1", *printed("<object at 0x7f00aa10>\n")), "memory address"),
    ("sizes", lambda n: find(n, "plot").outputs[0].data.update({"image/png": "A" * 81_000}), "at most 60,000"),
    ("sizes", lambda n: find(n, "plot").outputs[0].data.update({"text/html": "A" * 121_000}), "at most 120,000"),
    ("sizes", lambda n: n.cells.append(new_markdown_cell("word " * 120_000)), "at most 600,000"),
    ("pictures", lambda n: find(n, "plot").metadata.pop("mystnb"), "mystnb.image.alt"),
    ("pictures", lambda n: find(n, "plot").metadata.mystnb.image.update(alt="01_float_bits_figure.png"), "alt"),
    ("pictures", lambda n: find(n, "plot").metadata.mystnb.pop("figure"), "caption is missing"),
    ("pictures", lambda n: find(n, "plot").outputs[0].data.update({"image/svg+xml": "<svg/>"}), "one PNG per cell"),
    ("no_addresses", lambda n: show(n, "print(1", *printed("/home/ada/book\n")), "a path of a machine"),
    ("no_addresses", text_after_half("![x](https://example.org/a.png)"), "loads from another host"),
    ("no_addresses", text_after_half("[Colab](https://colab.research.google.com/x)"), "a launcher"),
    ("no_installing", source("%pip install torch"), "installs something"),
    ("no_installing", source("!pip3 -q install torch"), "installs something"),
    ("numbers_in_prose", text_after_half("It is 0.51."), "0.51 was printed by no earlier cell"),
    ("numbers_in_prose", lambda n: replace(n, "## Recap", "65,504", "65,505"), "65,505"),
    ("numbers_in_prose", text_after_half("It is `0x3c00`."), "`0x3c00` stands in no earlier output"),
]


@pytest.mark.parametrize(("name", "damage", "fragment"), BROKEN, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(BROKEN)])
def test_a_broken_notebook_is_rejected(name, damage, fragment):
    notebook = copy.deepcopy(miniature())
    damage(notebook)
    assert [f for f in RULES[name](notebook) if fragment in f], list(RULES[name](notebook))


def test_every_rule_is_proven():
    assert {name for name, *_ in BROKEN} == set(RULES)


def test_kept_record_is_tied_to_its_source():
    cell = find(miniature(), "print(seconds)")
    assert cell.metadata.stored_source == fingerprint("print(seconds)")


def test_headings_inside_code_blocks_are_none():
    notebook = miniature()
    replace(notebook, "It is 0.5.", "It is 0.5.", "It is.\n\n```md\n# No title\n## No section?\n```")
    assert notebook_rules.findings(notebook) == []


# --- numbers in prose -------------------------------------------------------------------------------


def complaints(prose, output="", after=""):
    cells = [code("first()", printed(output)), new_markdown_cell(prose), code(after)]
    return list(numbers_in_prose(new_notebook(cells=cells)))


@pytest.mark.parametrize(
    ("prose", "output"),
    [
        ("65,504", "65504.0"),
        ("65 504", "65504"),
        ("65\u202f504 and 65504.0", "65,504"),
        ("$65{,}504$", "65504"),
        ("6.1e-05", "6.103515625e-05"),
        ("6.1 × 10^-5", "6.103515625e-05"),
        ("$6.1\\times10^{-5}$", "6.103515625e-05"),
        ("6.1 × 10⁻⁵", "0.00006103515625"),
        ("2^-24, 2**-24, 2⁻²⁴, $2^{-24}$", "5.960464477539063e-08"),
        ("2^-24", "smallest 2**-24"),
        ("1/3 and $\\frac{1}{3}$", "0.3333333432674408"),
        ("12 % or 12%", "0.12"),
        ("37.5 %", "37.5%"),
        ("−0.25", "0.25"),
        ("0.33 of it", "0.3333"),
        ("eight is 8, and 16-bit, 32 bits", ""),
        ("16/32", ""),
        ("float16, FP16, E4M3, A100, cu128, x86_64, v2", ""),
        ("IEEE 754-2019, IEEE 754, Python 3.11, torch 2.15, chapter 12, section 7.4", ""),
        ("measured first (2018) and again (Micikevicius et al., 2018)", ""),
        ("the value $(-1)^s\\,2^{e-15}(1+f/1024)$ in general", ""),
        ("[a paper](https://example.org/1710.03740) and {cite}`micikevicius2018`", ""),
        ("`0x7bff` holds it", "code 0x7bff"),
        ("`0 11110 1111111111`", "0  11110  1111111111"),
        ("the call `encode(70000, fmt)` below", ""),
        ("`65504.0`", "65504"),
        ("11 of them\n\n**Predict.** What about 4711?", "11"),
        ("11 of them\n\n### Next: 4711", "11"),
        ("takes 45 ms", "45"),
        ("a block:\n\n```\n4711\n# 4712\n```\n", ""),
        ("11 and 127, or 11127", "11 127"),
    ],
)
def test_numbers_that_were_printed_are_found(prose, output):
    assert complaints(prose, output, after="encode(70000, fmt)") == []


@pytest.mark.parametrize(
    ("prose", "output"),
    [
        ("65,505", "65504"),
        ("65,500", "65504"),  # zeros count as digits: five of them are claimed
        ("65504.5", "65504"),
        ("0.34", "0.3333"),
        ("0.33333", "0.33"),  # more digits than were printed
        ("6.2e-05", "6.1e-05"),
        ("6.1e-06", "6.1e-05"),
        ("2^-23", "5.960464477539063e-08"),
        ("2^-24", "5.9620e-08"),
        ("2^-24", "6e-08"),  # one digit is no evidence
        ("1/3", "0.25"),
        ("13 %", "0.12"),
        ("8 %", "0.12"),
        ("0.3", "0.25"),
        ("2.5x faster", "4"),
        ("45ms", ""),
        ("11", ""),
        ("24", "code 0x2400, float24"),
        ("1024", "10240"),
        ("2018", ""),
        ("$2^{-24}$", ""),
        ("$3.5$", ""),
        ("`0x7bff`", "0x7bfe"),
        ("`4711`", "14711"),
        ("3/7 of all", ""),
        ("- a list with 4711", ""),
    ],
)
def test_numbers_that_were_not_printed_are_reported(prose, output):
    assert len(complaints(prose, output)) == 1


def test_html_counts_as_its_visible_text():
    table = new_output("display_data", {"text/html": "<td style='width: 99px'>65&#44;504</td><script>77</script>"})
    for number, expected in (("65,504", 0), ("99", 1), ("77", 1)):
        cells = [code("table", [table]), new_markdown_cell(number)]
        assert len(list(numbers_in_prose(new_notebook(cells=cells)))) == expected, number


def test_text_among_the_exercises_is_no_reading():
    cells = [new_markdown_cell("## Exercises"), code("check(...)"), new_markdown_cell("Why is it 4711?")]
    assert list(numbers_in_prose(new_notebook(cells=cells))) == []


def test_a_later_output_does_not_count():
    cells = [code("a"), new_markdown_cell("It is 4711."), code("b", printed("4711"))]
    assert len(list(numbers_in_prose(new_notebook(cells=cells)))) == 1
