"""The repository's documents: licences, citation, workflows, environment, addresses, and what README promises."""

import ast
import re
import stat
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import check_files  # noqa: E402
import colab_env  # noqa: E402
import environment  # noqa: E402

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
VERSION = re.search(
    r'^__version__ = "(.*)"$', (ROOT / "amp_helpers/__init__.py").read_text(encoding="utf8"), re.MULTILINE
)[1]
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf8"), re.MULTILINE))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf8")


# --- licences and citation ------------------------------------------------------------------------


def test_both_licences_are_there():
    assert read("LICENSE").startswith("MIT License\n")
    text = read("LICENSE-text")
    assert "Creative Commons Attribution 4.0 International Public License" in text
    assert all(f"\nSection {number} " in text for number in range(1, 9)), "the legal text is not complete"
    assert PROJECT["license"] == "MIT"


def citation_faults(data: dict) -> list[str]:
    """The part of the Citation File Format 1.2.0 that we use: required keys, their types, no others."""
    known = {"cff-version", "message", "title", "abstract", "type", "version", "license", "authors", "keywords"}
    required = {"cff-version", "message", "title", "authors"}
    faults = [f"unknown key {key}" for key in data.keys() - known] + [f"no {key}" for key in required - data.keys()]
    if data.get("cff-version") != "1.2.0":
        faults.append(f"cff-version is {data.get('cff-version')!r}")
    if data.get("type", "software") not in ("software", "dataset"):
        faults.append(f"type is {data['type']!r}")
    for key in known - {"authors", "keywords"}:
        if not isinstance(data.get(key, ""), str):
            faults.append(f"{key} is not a string: {data[key]!r}")
    for author in data.get("authors") or [{}]:
        if not (set(author) == {"name"} and isinstance(author["name"], str)):
            faults.append(f"an author that is not an entity with a name: {author}")
    keywords = data.get("keywords", ["-"])
    if not keywords or len(set(keywords)) != len(keywords) or not all(isinstance(word, str) for word in keywords):
        faults.append(f"keywords must be different strings: {keywords}")
    return faults


def test_citation_is_valid_and_names_this_version():
    data = yaml.safe_load(read("CITATION.cff"))
    assert citation_faults(data) == []
    assert (data["version"], data["license"]) == (VERSION, PROJECT["license"])


@pytest.mark.parametrize(
    "change",
    [
        {"type": "book"},
        {"version": 0.1},
        {"authors": []},
        {"authors": [{"nme": "x"}]},
        {"keywords": ["a", "a"]},
        {"titel": "x"},
    ],
)
def test_a_broken_citation_is_found(change):
    assert citation_faults({**yaml.safe_load(read("CITATION.cff")), **change})


def test_changelog_has_a_section_for_this_version_or_unreleased():
    headings = re.findall(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)
    assert headings and set(headings) & {"Unreleased", VERSION}


# --- workflows ------------------------------------------------------------------------------------


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_the_three_workflows_exist():
    assert {path.name for path in WORKFLOWS} == {"ci.yml", "publish.yml", "weekly.yml"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_calls_only_what_exists(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf8"))
    assert workflow["permissions"]["contents"] == "read", "rights are given to the job that needs them"
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    assert commands
    for command in commands:
        assert set(re.findall(r"\bmake ([\w-]+)", command)) <= TARGETS
        for script in re.findall(r"(?:^|\s)(\.ci/\S+)", command):
            assert (ROOT / script).stat().st_mode & stat.S_IXUSR, f"{script} cannot be executed"
        for script in re.findall(r"python (tools/\S+)", command):
            assert (ROOT / script).exists(), f"{script} does not exist"
        # An expression inside a script is replaced before the shell sees it, so a branch's name could be a command.
        assert "${{" not in command, f"pass expressions through env: {command!r}"
    for step in steps(workflow):
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/checkout@v4")), (
            "only GitHub's own actions"
        )


def test_ci_runs_the_gate():
    workflow = yaml.safe_load(read(".github/workflows/ci.yml"))
    assert [step["run"] for step in steps(workflow) if "run" in step] == [".ci/run"]
    assert re.search(r"^make test$", read(".ci/run"), re.MULTILINE)


def test_every_week_tries_the_newest_versions_and_colabs():
    workflow = yaml.safe_load(read(".github/workflows/weekly.yml"))
    commands = {name: [step.get("run") for step in job["steps"]] for name, job in workflow["jobs"].items()}
    assert "NEWEST=1 make test" in commands["newest"] and "make test-colab" in commands["colab"]
    report = workflow["jobs"]["report"]
    assert set(report["needs"]) == set(commands) - {"report"} and report["if"] == "failure()"


def test_publishing_keeps_out_pull_requests_of_others():
    workflow = yaml.safe_load(read(".github/workflows/publish.yml"))
    condition = workflow["jobs"]["book"]["if"]
    assert "workflow_run.event == 'push'" in condition and "conclusion == 'success'" in condition
    needs = {name: job.get("needs", []) for name, job in workflow["jobs"].items()}
    assert needs == {"book": [], "stamp": "book", "deploy": ["book", "stamp"]}
    assert workflow["env"]["REPOSITORY"] == "${{ github.repository }}"


def test_hooks_are_local_and_call_what_exists():
    config = yaml.safe_load(read(".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        program, argument = hook["entry"].split()[:2]
        assert program == ".venv/bin/ruff" or (program == ".venv/bin/python" and (ROOT / argument).exists()), hook[
            "entry"
        ]


# --- environment.yml ------------------------------------------------------------------------------


def test_environment_is_the_generated_one():
    assert read("environment.yml") == environment.from_pyproject(), "run: python tools/environment.py"


def conda_and_pip(text: str) -> tuple[dict[str, str], dict[str, str]]:
    entries = yaml.safe_load(text)["dependencies"]
    pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    conda = [entry for entry in entries if isinstance(entry, str)]
    return tuple({re.match(r"[\w.-]+", line)[0]: line for line in lines} for lines in (conda, pip))


def test_environment_names_nothing_twice():
    conda, pip = conda_and_pip(read("environment.yml"))
    assert "torch" not in conda and "torch" not in pip and "pytorch" in conda
    back = {value: key for key, value in environment.CONDA_NAMES.items()}
    assert not {back.get(name, name) for name in conda} & set(pip)


def test_environment_has_every_requirement_with_its_floor():
    conda, pip = conda_and_pip(read("environment.yml"))
    lines = [*conda.values(), *pip.values()]
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in [text for group in groups for text in group]:
        name, versions = environment.split(requirement)
        assert any(line.replace(" ", "") == environment.CONDA_NAMES.get(name, name) + versions for line in lines), (
            requirement
        )
    assert conda["python"] == f"python {PROJECT['requires-python']}"
    assert "--editable ." in pip.values()


def test_a_requirement_that_conda_cannot_express_is_refused():
    with pytest.raises(ValueError, match="extra"):
        environment.split("package[extra]>=1")


# --- Colab's versions -----------------------------------------------------------------------------


def test_the_list_of_colabs_versions_says_where_it_is_from():
    source = r"^# googlecolab/backend-info\b.*, list of 2\d{3}-\d\d-\d\d:$"
    assert re.search(source, read("tests/colab/versions.txt"), re.MULTILINE)


@pytest.mark.parametrize("requirement", [f"python{PROJECT['requires-python']}", *PROJECT["dependencies"]])
def test_colab_has_what_the_package_requires(requirement):
    name, versions = environment.split(requirement)
    assert colab_env.versions()[name] in SpecifierSet(versions), "installing the package would replace it there"


# --- every file -----------------------------------------------------------------------------------


def test_files_are_clean():
    files = check_files.repository_files()
    assert ROOT / "README.md" in files
    assert [message for path in files for message in check_files.check(path)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "see /home/" + "ann/book\n"),
        ("a.md", "see /mn" + "t/data/main\n"),
        ("a.py", "url = 'https://py" + "pi.org/simple'\n"),
        ("a.txt", "--index" + "-url https://example.org\n"),
        ("a.html", '<script src="https://cdn.jsdel' + 'ivr.net/x.js"></script>\n'),
        ("a.md", "blank \n"),
        ("a.md", "no end"),
        ("a.md", "two ends\n\n"),
        ("a.md", "windows\r\n"),
    ],
)
def test_an_unclean_file_is_found(name, text):
    assert check_files.problems(Path(name), text, len(text))


@pytest.mark.parametrize(
    "text", ["https://example.org/home/ann\n", "and/or, 1/2, a/tmp/b\n", "$HOME/work/x\n", "_build/html\n"]
)
def test_a_clean_file_passes(text):
    assert check_files.problems(Path("a.md"), text, len(text)) == []


def test_a_home_folder_is_an_example_in_a_test_only():
    text = "/home/" + "ann/book\n"
    assert check_files.problems(Path("tests/test_a.py"), text, len(text)) == []
    assert check_files.problems(Path("tools/a.py"), text, len(text))


def test_the_size_limit_is_larger_for_notebooks():
    assert check_files.problems(Path("a.png"), None, 250_001)
    assert not check_files.problems(Path("a.png"), None, 250_000)
    assert not check_files.problems(Path("a.ipynb"), None, 250_001)
    assert check_files.problems(Path("a.ipynb"), None, 600_001)


# --- documents ------------------------------------------------------------------------------------

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "index.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "book").glob("*.md")),
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_only_targets_that_exist(name):
    text = read(name)
    code = "\n".join(
        [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^ *```.*?^ *```", text, re.MULTILINE | re.DOTALL)]
    )
    named = set(re.findall(r"(?:^|[\s$`=;&])make(?: [A-Z]+=\S+)* ([a-z][\w-]*)", code, re.MULTILINE))
    assert named <= TARGETS, f"{name}: make {', '.join(named - TARGETS)} does not exist"


def test_readme_shows_the_two_commands_first():
    named = re.findall(r"\bmake ([a-z-]+)", read("README.md"))
    assert named[:2] == ["book", "test"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_relative_links_lead_somewhere(name):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", read(name))
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


def test_the_api_page_names_every_module():
    page = set(re.findall(r"automodule:: (amp_helpers[\w.]*)", read("book/api.md")))
    # What the book and the widgets are put together with is not for import by a reader.
    hidden = {"__init__", "__main__", "sphinx_ext", "javascript", "typed_number"}
    for path in (ROOT / "amp_helpers").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf8"))
        public = [
            node
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        ]
        if path.stem not in hidden and not path.stem.startswith("_") and public:
            assert f"amp_helpers.{path.stem}" in page, f"book/api.md does not show {path.stem}"


def test_style_guide_names_only_checks_that_exist():
    guide = read("book/style_guide.md")
    tests = re.findall(r"`(tests/\w+(?:\.py)?)(?:::(\w+))?`", guide)
    rules = [(f"tools/{module}.py", function) for module, function in re.findall(r"`(\w+_rules)\.(\w+)`", guide)]
    assert tests and rules
    for name, function in tests + rules:
        assert (ROOT / name).exists(), f"{name} does not exist"
        assert not function or re.search(rf"^def {function}\(", read(name), re.MULTILINE), f"{name} has no {function}"


def test_every_rule_of_a_notebook_is_in_the_style_guide():
    guide = read("book/style_guide.md")
    for path in (ROOT / "tools").glob("*_rules.py"):
        listed = re.search(r"^RULES = \(([^)]*)\)", path.read_text(encoding="utf8"), re.MULTILINE)
        for rule in re.findall(r"\w+", listed[1]) if listed else []:
            assert f"`{path.stem}.{rule}`" in guide, f"the style guide does not name {path.stem}.{rule}"


def test_ids_of_the_style_guide_count_up():
    ids = re.findall(r"^- \*\*([A-Z]+)-(\d+)\*\* ", read("book/style_guide.md"), re.MULTILINE)
    assert ids
    for family in {name for name, _ in ids}:
        assert [int(number) for name, number in ids if name == family] == list(
            range(1, 1 + sum(name == family for name, _ in ids))
        )
