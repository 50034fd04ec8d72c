"""Rules of the house that neither the linter nor import-linter can see."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
SOURCE = ROOT / "src" / "ramax"
MODULES = sorted(SOURCE.rglob("*.py"))

# Modules without a test file of their own name, and where they are tested instead.
TESTED_ELSEWHERE: dict[str, str] = {
    # Frozen history: what counts is what becomes of a whole old database, up and down.
    "storage/before_spaces.py": "migrations/test_downgrade.py",
    "storage/carry_back.py": "migrations/test_downgrade.py",
    "storage/carry_over.py": "migrations/test_upgrade.py",
    "storage/carry_state.py": "migrations/test_old_forms.py",
    "storage/forms.py": "migrations/test_old_forms.py",
    "storage/old_registry.py": "migrations/test_old_forms.py",
    "storage/old_tables.py": "migrations/test_old_forms.py",
    "storage/old_times.py": "migrations/test_old_forms.py",
    # It shows only where several upgrade at once, or one beside a writer.
    "storage/schema_lock.py": "migrations/test_interrupted.py",
}

# Only who uses them pays for importing them.
ONLY_ON_DEMAND = {
    "alembic",
    "click",
    "cryptography",
    "jsonpath",
    "mcp",
    "numpy",
    "opentelemetry",
    "rich",
    "stamina",
    "starlette",
    "uvicorn",
}


def name(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


def test_every_module_has_its_test_file() -> None:
    missing = [
        name(module)
        for module in MODULES
        if module.name != "__init__.py"
        and name(module) not in TESTED_ELSEWHERE
        and not (TESTS / name(module)).with_name(f"test_{module.name}").exists()
    ]
    assert not missing


def test_no_exception_outlives_its_module() -> None:
    for module, tests in TESTED_ELSEWHERE.items():
        assert (SOURCE / module).exists()
        assert (TESTS / tests).exists()


def test_no_import_of_our_own_is_for_the_type_checker_only() -> None:
    hidden = [
        (name(module), imported)
        for module in MODULES
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for imported in imports(node, module)
        if imported.split(".")[0] == "ramax"
    ]
    assert not hidden


def test_nothing_is_imported_from_the_root() -> None:
    assert not [name(module) for module in MODULES if "ramax" in imports(parsed(module), module)]


def test_importing_ramax_does_not_import_what_only_some_use() -> None:
    script = (
        "import ramax, sys; ramax.connect; print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"ramax", "sqlalchemy"} <= set(loaded)
    assert not ONLY_ON_DEMAND & set(loaded)


def test_every_dependency_is_pinned_by_name_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {re.split(r"[^\w.-]", text)[0] for group in groups for text in group} - {"ramax"}
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert wanted - {pin.partition("==")[0] for pin in pins} == set()
    # No host, and no hash: with one pip would refuse the checkout itself.
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9.-]+==[\w.]+( ; [^@:]+)?", pin)] == []


def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def imports(tree: ast.AST, module: Path) -> Iterator[str]:
    """Absolute names of the modules that are imported from anywhere in ``tree``."""
    package = ".".join(["ramax", *module.relative_to(SOURCE).parent.parts])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield resolve_name("." * node.level + (node.module or ""), package)
