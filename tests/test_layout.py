"""The package's shape: layers, sizes, and what an import loads."""

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "amp_helpers"
MODULES = sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


#: Imports go to a lower layer only (the design's table and three small modules beside it).
LAYERS = {
    0: {"formats", "device", "models", "datasets", "tables", "javascript", "typed_number"},
    1: {"rounding", "policy", "scaling", "gradients", "precision"},
    2: {"tracing", "memory", "training", "benchmark", "lint"},
    3: {"audit", "doctor", "suites", "claims", "plots", "notebook"},
    4: {"widgets", "exercises", "commands"},
    5: {"sphinx_ext", "__main__"},
}
LAYER = {name: layer for layer, names in LAYERS.items() for name in names}
#: Packages that only one module may import.
OWNERS = {
    "matplotlib": "plots",
    "IPython": "notebook",
    "anywidget": "widgets",
    "ipywidgets": "widgets",
    "libcst": "lint",
}
HEAVY = ["torch", "numpy", "matplotlib", "IPython", "anywidget", "ipywidgets"]
#: What has to load without torch: the book's own parts.
LIGHT = ["formats", "tables", "javascript", "sphinx_ext", "exercises"]


def room(path: Path) -> str:
    """The module a file belongs to: its own name, or that of the folder it stands in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Every imported module of a file, also inside functions, by its absolute name."""
    found = []
    parents = ["amp_helpers", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            modules = [node.module] if node.module else [alias.name for alias in node.names]
            found += [".".join([*base, module]) for module in modules]
    return found


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_go_down(path):
    if room(path) == "__init__":
        assert not imports(path), "importing the package alone must load nothing"
        return
    assert room(path) in LAYER, f"{room(path)} has no layer: add it to LAYERS"
    for imported in imports(path):
        if imported.startswith("amp_helpers."):
            target = imported.split(".")[1]
            below = LAYER.get(target, -1) < LAYER[room(path)]
            assert below or target in (room(path), "__version__"), f"{name(path)} imports {target}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_only_the_owner_imports(path):
    for imported in imports(path):
        owner = OWNERS.get(imported.split(".")[0])
        assert owner in (None, room(path)), f"only {owner} imports {imported}"


def code_lines(path: Path) -> int:
    """Lines that hold code: no blanks, comments or docstrings."""
    source = path.read_text(encoding="utf8")
    lines = set()
    skip = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skip:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return len(lines)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_are_small(path):
    assert path.stem not in ("utils", "helpers", "common", "misc")
    assert code_lines(path) <= 250


def test_importing_the_package_loads_nothing_heavy():
    light = "import amp_helpers; " + "; ".join(f"import amp_helpers.{name}" for name in LIGHT)
    code = f"import sys; {light}; print([m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_runs_at_import(path):
    """Module level holds imports, definitions and constants; no calls but the ones that build a constant."""
    for node in ast.parse(path.read_text(encoding="utf8")).body:
        main = isinstance(node, ast.If) and "__main__" in ast.dump(node.test)
        allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        assert main or docstring or isinstance(node, allowed), f"{path.name}:{node.lineno} runs at import"


def test_every_module_of_the_package_and_of_tools_has_a_docstring():
    for path in [*MODULES, *(PACKAGE.parent / "tools").glob("*.py")]:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf8"))), path.name
