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

LINES = 250
STATEMENTS = 55

# Modules that are longer, and why. The list may only shrink: what is short again leaves it.
DECLARES = "one declaration after another; most of its lines are docstrings"
FACADE = "what users call, each verb with its docstring; the work is done elsewhere"
STATEMENTS_OF_ONE = "the statements of one subject, and who runs them"
ONE_THING = "one thing with one state, which only together makes sense"
LONG_MODULES: dict[str, str] = {
    "core/codec.py": ONE_THING,
    "core/domain.py": DECLARES,
    "core/mapping.py": ONE_THING,
    "datatypes/json.py": FACADE,
    "datatypes/tree.py": FACADE,
    "datatypes/vectors.py": FACADE,
    "entry/connecting.py": FACADE,
    "entry/handles.py": FACADE,
    "errors.py": DECLARES,
    "runtime/consumer.py": ONE_THING,
    "runtime/content_store.py": FACADE,
    "runtime/core.py": ONE_THING,
    "runtime/database.py": FACADE,
    "runtime/deliveries.py": ONE_THING,
    "runtime/partition.py": FACADE,
    "runtime/past.py": FACADE,
    "runtime/pstate.py": FACADE,
    "runtime/scope.py": FACADE,
    "runtime/spaces.py": FACADE,
    "runtime/transaction.py": ONE_THING,
    "storage/append_sqlite.py": STATEMENTS_OF_ONE,
    "storage/append_statement.py": STATEMENTS_OF_ONE,
    "storage/backend_postgres.py": ONE_THING,
    "storage/events.py": STATEMENTS_OF_ONE,
    "storage/executors.py": "one executor for each driver, all with the same verbs",
    "storage/forking.py": STATEMENTS_OF_ONE,
    "storage/merges.py": STATEMENTS_OF_ONE,
    "storage/projections.py": STATEMENTS_OF_ONE,
    "storage/reads.py": STATEMENTS_OF_ONE,
    "storage/records.py": STATEMENTS_OF_ONE,
    "storage/runs.py": STATEMENTS_OF_ONE,
    "storage/search.py": STATEMENTS_OF_ONE,
    "storage/snapshots.py": STATEMENTS_OF_ONE,
    "storage/tables.py": DECLARES,
    "sync/layer_worker.py": ONE_THING,
    "sync/replica.py": FACADE,
    "sync/space_manager.py": FACADE,
    "testing/layer_contract.py": "a suite of tests: one after another",
    "values.py": DECLARES,
}
LONG_FUNCTIONS: dict[str, str] = {"storage/tables.py:build_tables": "every table, in order"}

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


def test_only_listed_modules_are_long() -> None:
    long = {
        name(module) for module in MODULES if module.read_text(encoding="utf-8").count("\n") > LINES
    }
    assert long == LONG_MODULES.keys()


def test_only_listed_functions_are_long() -> None:
    long = {
        f"{name(module)}:{node.name}"
        for module in MODULES
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > STATEMENTS
    }
    assert long == LONG_FUNCTIONS.keys()


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function below its signature and docstring."""
    told = ast.get_docstring(function) is not None
    body = function.body[told:]
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


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
