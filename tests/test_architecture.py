"""The rules of the house, read from the imports: a pure core, an order within it, and an edge that only ``app`` wires."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import cds_service
from cds_service import crd

ROOT = Path(cds_service.__file__).parent
CORE = Path(crd.__file__).parent

#: The standard library's pure part, as far as the core needs it. ``zoneinfo`` for the type: zones are arguments.
PURE = {
    "__future__", "calendar", "collections", "contextlib", "dataclasses", "datetime", "decimal", "enum", "functools", "hashlib",
    "itertools", "re", "string", "tomllib", "typing", "unicodedata", "zoneinfo",
}  # fmt: skip
#: What single modules of the core need beside that, and nobody else there.
ALSO = {
    "narrative": {"nh3"},  # strips the HTML of a narrative
    "vocabulary": {"pydantic_core"},  # Rust's regular expressions, for the look at every order
    "remembered": {"threading"},  # shared by all calls
    "validation": {"pydantic", "importlib"},  # fhir.resources, loaded when first asked for
}


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    """``cds_service.records.store`` for ``.../records/store.py``; a package for its ``__init__``."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> tuple[tuple[str, str], ...]:
    """Every (module, name) that ``path`` imports, anywhere in it; the name is empty for ``import module``."""
    package = name_of(path) if path.stem == "__init__" else name_of(path).rpartition(".")[0]
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found += [(module, alias.name) for alias in node.names]
    return tuple(found)


ALL = {name_of(path): path for path in modules(ROOT)}


def imported_modules(path: Path) -> set[str]:
    """The modules of this package that ``path`` imports."""
    return {name for module, each in imports(path) for name in (f"{module}.{each}", module) if name in ALL}


def reached(name: str) -> set[str]:
    """Every module of this package that importing ``name`` brings in, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for each in imported_modules(ALL[waiting.pop()]) - found:
            found.add(each)
            waiting.append(each)
    return found


def foreign(path: Path) -> set[str]:
    """The top-level names of what ``path`` imports from outside this package."""
    return {module.split(".")[0] for module, _ in imports(path)} - {"cds_service"}


def texts(path: Path) -> Iterator[str]:
    """Every text constant in the code of ``path``, docstrings left out."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    prose = {id(node.body[0].value) for node in ast.walk(tree(path)) if isinstance(node, documented) and _is_prose(node.body)}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def _is_prose(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)


def calls(path: Path) -> Iterator[str]:
    """The name of everything that is called in ``path``: ``open``, or ``now`` for ``x.now()``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr
            elif isinstance(node.func, ast.Name):
                yield node.func.id


core = pytest.mark.parametrize("path", modules(CORE), ids=lambda path: path.stem)


# The core


@core
def test_the_core_imports_only_what_is_pure(path: Path) -> None:
    assert foreign(path) <= PURE | {"msgspec"} | ALSO.get(path.stem, set())


@core
def test_the_core_imports_nothing_of_the_edge(path: Path) -> None:
    assert all(name.startswith("cds_service.crd") for name in imported_modules(path))


@core
def test_nothing_in_the_core_reads_a_clock_a_disk_or_a_random_number(path: Path) -> None:
    read = {"now", "utcnow", "today", "fromtimestamp", "time", "monotonic", "perf_counter", "uuid4", "urandom", "getrandbits"}
    assert not set(calls(path)) & (read | {"open", "read_text", "read_bytes", "print", "input", "exec", "eval", "getenv"})


def order_of_the_core() -> list[str]:
    """The modules in the order in which the docstring of the core lists them."""
    listed = (crd.__doc__ or "").partition("in this list:")[2].partition("``tests/")[0]
    return re.findall(r"``(\w+)``", listed)


def test_the_list_of_the_core_names_each_module_once_and_no_other() -> None:
    assert sorted(order_of_the_core()) == sorted(path.stem for path in modules(CORE) if path.stem != "__init__")


@core
def test_a_module_of_the_core_imports_only_those_above_it(path: Path) -> None:
    order = order_of_the_core()
    above = set(order[: order.index(path.stem)]) if path.stem in order else set()
    assert {name.rpartition(".")[2] for name in imported_modules(path)} - {"crd"} <= above


# The edge


def test_the_package_itself_imports_nothing() -> None:
    assert [module for module, _ in imports(ROOT / "__init__.py") if module != "__future__"] == []


APART = {
    "cds_service.settings": [],
    "cds_service.auth": ["cds_service.settings"],
    "cds_service.fhir_client": ["cds_service.settings"],
    "cds_service.records": ["cds_service.settings", "cds_service.crd.feedback"],
}
#: What wires and what answers: none of the parts above knows of it.
WIRING = {"app", "views", "pages", "services", "gate", "server", "worker", "cli"}


@pytest.mark.parametrize("name", APART)
def test_the_parts_at_the_edge_know_neither_each_other_nor_what_wires_them(name: str) -> None:
    own = {each for each in ALL if each == name or each.startswith(f"{name}.")} - {"cds_service.records.cli"}
    found = set().union(*map(reached, own)) - own
    others = {part for part in APART if part != name and part not in APART[name]}
    assert not {each for each in found for other in others if each == other or each.startswith(f"{other}.")}
    assert not found & {f"cds_service.{each}" for each in WIRING}


def test_the_settings_know_nothing_of_the_rest() -> None:
    assert reached("cds_service.settings") == set()


@pytest.mark.parametrize("part", ["FhirClient", "Authenticator"])
def test_only_app_puts_the_parts_together(part: str) -> None:
    assert {name for name, path in ALL.items() if part in calls(path)} == {"cds_service.app"}


def test_no_module_imports_what_another_keeps_to_itself() -> None:
    private = {
        (name, each)
        for name, path in ALL.items()
        for module, each in imports(path)
        if module.startswith("cds_service") and each.startswith("_") and not each.startswith("__")
    }
    assert private == set()


# Foreign vocabularies, each in its modules


def importing(library: str) -> set[str]:
    return {name.removeprefix("cds_service.") for name, path in ALL.items() if library in foreign(path)}


def test_flask_is_known_only_where_http_comes_in() -> None:
    edge = {"app", "application", "gate", "observing", "services", "views"}
    assert importing("flask") <= edge | {"page_docs", "page_frame", "page_try", "pages"}


def test_sql_is_written_only_in_the_records_and_their_migrations() -> None:
    known = importing("sqlalchemy") | importing("alembic")
    assert {name.split(".")[0] for name in known} >= {"records", "migrations"}
    outside = {name for name in known if name.split(".")[0] not in ("records", "migrations")}
    taken = {(module, each) for name in outside for module, each in imports(ALL[f"cds_service.{name}"]) if "sqlalchemy" in module}
    assert taken <= {
        ("sqlalchemy.engine", "make_url"),
        ("sqlalchemy.exc", "ArgumentError"),
    }  # to show an address without its password


def test_http_goes_out_only_by_the_guarded_door_and_from_the_command_line() -> None:
    speaking = {"requests", "urllib3", "socket", "http.client", "urllib.request", "httpx", "aiohttp"}
    doors = {
        name.removeprefix("cds_service.")
        for name, path in ALL.items()
        if {part for module, _ in imports(path) for part in (module, module.split(".")[0])} & speaking
    }
    # The records' watch shuts sockets of the database's driver, and opens none.
    assert doors <= {"outgoing", "outgoing_address", "outgoing_transport", "cli_call", "server", "records.watch"}


def test_the_environment_is_read_by_the_settings_alone() -> None:
    reading = set()
    for name, path in ALL.items():
        attributes = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
        if attributes & {"getenv"} or re.search(r"\bos\.environ\b", path.read_text(encoding="utf-8")):
            reading.add(name.removeprefix("cds_service."))
    # prometheus_client knows no other way to be told where its workers write
    assert reading <= {"settings", "metrics"}


@pytest.mark.parametrize(
    ("words", "at_home"),
    [
        ({"davinci-crd.requestedVersion", "davinci-crd.configuration", "access_token"}, {"hook_request"}),
        ({"dispatched-orders", "context.draftOrders", "context.dispatchedOrders"}, {"hook_contexts"}),
        ({"systemActions", "overrideReasons", "indicator", "davinci-crd.associated-resource"}, {"cards"}),
        ({"pa-needed", "info-needed", "billingCode"}, {"coverage_information"}),
        ({"coverage-assertion-id"}, {"coverage_information", "annotation"}),
        ({"outcomeTimestamp", "acceptedSuggestions", "userComment"}, {"feedback"}),
    ],
    ids=lambda value: "+".join(sorted(value))[:40],
)
def test_the_keys_of_a_request_and_of_a_response_stand_only_in_their_modules(words: set[str], at_home: set[str]) -> None:
    assert {path.stem for path in modules(CORE) if words & set(texts(path))} <= at_home


def test_toml_is_read_by_one_module() -> None:
    assert importing("tomllib") == {"crd.toml_text"}
