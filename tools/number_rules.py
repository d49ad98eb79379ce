"""The rule that every number in a reading was printed by an earlier cell; described in `notebook_rules`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from decimal import Context, Decimal
from typing import NamedTuple

from chapter import place, readings
from nbformat import NotebookNode

#: Whole numbers that need no cell: counting words written as digits, and the widths that give the formats their names.
ALLOWED = {Decimal(n) for n in (*range(11), 16, 32, 64, 128)}
#: How many digits two decimal numbers must share at least, so that "65" does not stand for 65,504 cut short to 7e4.
FEWEST_DIGITS = 2
#: Digits to which an exact form (1/3, 2^-24) must agree with a decimal: about what a float32 prints correctly.
MOST_EXACT_DIGITS = 6

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
NAMES = re.compile(
    r"""\b(?:IEEE[ ]754(?:-\d{4})?(?!\d) | (?:Python|PyTorch|torch|CUDA|OCP|MX|version|v)[ ]?\d+(?:\.\d+)*
    | (?:[Cc]hapters?|[Ss]ections?|[Ff]igure|[Tt]ables?|[Ee]xercises?|[Pp]arts?|[Pp]ages?)[ ]\d+(?:\.\d+)*
    )""",
    re.VERBOSE,
)
YEAR = re.compile(r"\(([^()]*?\b)?(19|20)\d\d\)")
NOT_PROSE = re.compile(
    r"\{[\w-]+\}`[^`]*`"  # a MyST role
    r"|\]\([^)]*\)"  # the address of a link
    r"|<https?:[^>]*>"
    r"|<!--.*?-->",
    re.DOTALL,
)
CODE_SPAN = re.compile(r"(`+)(.+?)\1", re.DOTALL)
MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)
LATEX_COMMAND = re.compile(r"\\(?:text|mathrm|operatorname)\{[^}]*\}|\\[A-Za-z]+|\\[,;:! ]")

NUMBER = re.compile(
    r"""(?<![\w.])                                   # not inside a name such as float16 or E4M3
    (?: (?P<base>\d+)(?:\*\*|\^)(?P<power>[-+]?\d+)  # 2^-24
      | (?P<numerator>\d+)/(?P<denominator>\d+)(?![\d/])
      | (?P<digits>\d{1,3}(?:[,\u00a0\u2009\u202f ]\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)
        (?:[eE](?P<exponent>[-+]?\d+) | \ ?(?:×|x|\*)\ ?10(?:\*\*|\^)(?P<scientific>[-+]?\d+))?
    )
    (?P<percent>\ ?%)?
    (?!\w|\.\d) | (?<![\w.])(?P<with_unit>\d+(?:\.\d+)?)(?=(?:[kMGT]i?B|[mnµu]?s|x|×|k|M|[GT]FLOPS?)\b)""",
    re.VERBOSE,
)


class Number(NamedTuple):
    """A number in a text: how it is spelled, its value, and to how many digits it is given (None: exactly)."""

    text: str
    value: Decimal
    digits: int | None


def plain(text: str) -> str:
    """Write powers, minus signs and LaTeX the way Python prints them."""
    text = text.replace("\u2212", "-")
    text = re.sub(r"(?<=\d)[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: "^" + m[0].translate(SUPERSCRIPTS), text)
    text = re.sub(r"\\d?frac\{(\d+)\}\{(\d+)\}", r"\1/\2", text)
    text = re.sub(r"\\(times|cdot)(?![A-Za-z])", "×", text)
    text = re.sub(r"\{,\}|\\,", "\u202f", text)  # thousands in LaTeX
    text = re.sub(r"\^\{([^}]*)\}", r"^\1", text)
    text = re.sub(r" *× *(?=10\^)", "×", text)
    return text.replace("\\%", "%")


def numbers(text: str) -> Iterator[Number]:
    """Yield the numbers of a text, without their signs."""
    for match in NUMBER.finditer(plain(text)):
        part = match.groupdict()
        if part["base"]:
            value, digits = Context(prec=400).power(Decimal(part["base"]), int(part["power"])), None
        elif part["numerator"]:
            if not int(part["denominator"]):
                continue
            value, digits = Decimal(part["numerator"]) / Decimal(part["denominator"]), None
        else:
            written = re.sub(r"[,\u00a0\u2009\u202f ]", "", part["digits"] or part["with_unit"])
            value = Decimal(written).scaleb(int(part["exponent"] or part["scientific"] or 0))
            digits = len(written.replace(".", "").lstrip("0")) or 1
        if part["percent"]:
            value = value / 100
        yield Number(match[0], value, digits)


def same(said: Number, printed: Number) -> bool:
    """Whether a printed number supports what the prose says: equal, or equal after rounding to fewer digits.

    The prose may give fewer digits than were printed, never more; an exact form (2^-24, 1/3) may stand for its digits.
    """
    if said.value == printed.value:
        return True
    exact = MOST_EXACT_DIGITS if printed.digits is None else min(printed.digits, MOST_EXACT_DIGITS)
    digits = exact if said.digits is None else said.digits
    if digits < FEWEST_DIGITS:
        return False
    rounding = Context(prec=digits)
    return rounding.plus(said.value) == rounding.plus(printed.value)


def visible_text(output: NotebookNode) -> str:
    """Return what a reader sees of an output: tags and attributes of HTML do not count."""
    data = output.get("data", {})
    markup = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", data.get("text/html", ""), flags=re.DOTALL)
    texts = [output.get("text", ""), output.get("evalue", ""), html.unescape(markup)]
    return "\n".join(texts + [data.get(mime, "") for mime in ("text/plain", "text/markdown", "text/latex")])


def bits(text: str) -> str:
    """Drop what differs between two spellings of the same code: spaces around words."""
    return " ".join(text.split())


def numbers_in_prose(notebook: NotebookNode) -> Iterator[str]:
    """Every number in a reading was printed before; every code span with a digit was printed or run."""
    for index, text in readings(notebook):
        cells = notebook.cells
        following = next((i for i in range(index, len(cells)) if cells[i].cell_type == "code"), len(cells))
        printed = "\n".join(visible_text(o) for cell in cells[:index] for o in cell.get("outputs", []))
        code = "\n".join(cell.source for cell in cells[: following + 1] if cell.cell_type == "code")
        # "8 127" in a table is two numbers, in another output it may be one: both readings count.
        known = [*numbers(printed), *numbers(printed.replace(" ", "  "))]
        text = NOT_PROSE.sub(" ", text)
        for span in (match[2] for match in CODE_SPAN.finditer(text)):
            if re.search(r"\d", NAMES.sub("", span)) and _unknown_span(span, bits(printed + "\n" + code), known):
                yield f"{place(index, cells[index])}: `{span}` stands in no earlier output and in no code so far"
        for number in numbers(_prose(CODE_SPAN.sub(" ", text))):
            if not _is_supported(number, known):
                yield f"{place(index, cells[index])}: {number.text.strip()} was printed by no earlier cell"


def _unknown_span(span: str, seen: str, known: list[Number]) -> bool:
    if re.search(rf"(?<!\w){re.escape(bits(span))}(?!\w)", seen):
        return False
    alone = list(numbers(span))
    return not (len(alone) == 1 and alone[0].text == plain(span).strip().lstrip("-") and _is_supported(alone[0], known))


def _is_supported(number: Number, known: list[Number]) -> bool:
    if number.value in ALLOWED and number.digits is not None and not number.text.strip().endswith("%"):
        return True
    if any(same(number, other) for other in known):
        return True
    # "16/32" may also be two numbers with a slash between them, but 3/7 is a fraction.
    parts = [part for text in number.text.split("/") for part in numbers(text)]
    return len(parts) == 2 and all(part.value > 10 and _is_supported(part, known) for part in parts)


def _prose(text: str) -> str:
    """Drop formulas with letters, names and years; keep the numbers of the rest."""

    def formula(match: re.Match) -> str:
        content = plain(match[1] or match[2])
        return (
            " " if re.search(r"[A-Za-z]", LATEX_COMMAND.sub(" ", content)) else f" {LATEX_COMMAND.sub(' ', content)} "
        )

    return NAMES.sub(" ", YEAR.sub(" ", MATH.sub(formula, text)))


RULES = (numbers_in_prose,)
