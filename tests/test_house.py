"""Keeps the rules of the house (ARCHITECTURE.md): layers, sizes, docstrings, no print, docs that match the code."""

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("shards", "curation", "training")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MODULES = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in SOURCES}
FORBIDDEN = {"shards": {"curation", "training", "torch", "ray"}, "curation": {"training"}, "training": {"curation"}}
LIBAV_FILES = {f"shards/{name}.py" for name in ("frame", "source", "video", "fit", "mp4", "encode", "copy", "audio")}
LIBAV_FILES |= {"curation/demo/encode.py"}
LIGHTNING_FILES = {f"training/{name}.py" for name in ("module", "data", "config", "fit", "stage_trainer")}
LIGHTNING_FILES |= {name for name in MODULES if name.startswith("training/callbacks/")}
HEAVY = {"torch", "open_clip", "ray", "cv2", "scenedetect", "torchvision", "transformers", "lightning", "diffusers"}
LIGHT_FILES = ["curation/__main__.py", "curation/config.py", "curation/scorer.py", "curation/splitter.py"]
LIGHT_FILES += ["training/__main__.py", "training/recipe.py", "training/run.py"]
LIGHT_FILES += [name for name in MODULES if name.startswith(("curation/scorers/", "curation/splitters/"))]


def imports(tree: ast.AST) -> set[str]:
    """Top-level packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("name", MODULES)
def test_no_import_goes_upward_or_sideways(name):
    assert not imports(MODULES[name]) & FORBIDDEN[name.split("/")[0]]


def test_files_of_tests_have_names_of_their_own():
    """They are imported by their bare names, as helpers of each other too."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def test_only_the_video_files_touch_libav():
    assert {name for name in MODULES if "av" in imports(MODULES[name])} <= LIBAV_FILES


def test_few_files_of_the_trainer_know_lightning():
    assert {name for name in MODULES if "lightning" in imports(MODULES[name])} <= LIGHTNING_FILES


@pytest.mark.parametrize("name", LIGHT_FILES)
def test_heavy_imports_wait_for_build(name):
    top_level = ast.Module([node for node in MODULES[name].body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    assert not imports(top_level) & HEAVY


def test_files_are_short():
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in MODULES}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
    assert statistics.median(lengths.values()) <= 120


def test_functions_are_short():
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for tree in MODULES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    )
    assert statistics.median(lengths) <= 10 and lengths[int(0.9 * len(lengths))] <= 35


def public(body: list[ast.stmt]) -> list[ast.FunctionDef | ast.ClassDef]:
    nodes = [n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    return nodes + [child for n in nodes if isinstance(n, ast.ClassDef) for child in public(n.body)]


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_is_documented(name):
    tree = MODULES[name]
    assert ast.get_docstring(tree), "module docstring"
    assert [node.name for node in public(tree.body) if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__.py")])
def test_libraries_do_not_print(name):
    calls = [node for node in ast.walk(MODULES[name]) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


@pytest.mark.parametrize("name", [n for n in MODULES if re.match(r"curation/(scorers|splitters)/(?!__init__)", n)])
def test_each_scorer_and_splitter_has_its_test_file(name):
    assert list((ROOT / "tests").rglob(f"test_{Path(name).stem}.py"))


def test_the_page_of_tables_is_what_the_schemas_say():
    from curation.docs import PAGE, tables_markdown

    assert (ROOT / PAGE).read_text(encoding="utf-8") == tables_markdown(), "run `make fmt`"


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_pages_name_files_and_targets_that_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= targets
    named = re.findall(r"`((?:curation|shards|training|configs|docs|tests|benchmarks)/[\w./-]+\.\w+)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_nothing_of_the_workplace_is_in_the_pages():
    for path in [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml", *(ROOT / "docs").glob("*.md")]:
        assert not re.search(r"/(home|root|Users)/\w+", path.read_text(encoding="utf-8")), path.name
