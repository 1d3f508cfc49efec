"""The floors of ARCHITECTURE.md, read from the imports themselves: they point downwards only, and never in a
circle.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import monkeytown

SOURCES = Path(monkeytown.__file__).parent
CORE = SOURCES.parents[1] / "ext" / "monkeytown" / "_core"

FLOORS: dict[str, int] = {
    **dict.fromkeys(("errors", "identity", "position"), 0),
    **dict.fromkeys(("_core",), 1),
    **dict.fromkeys(("fields", "views", "schema", "player", "chat", "game", "room", "protocol"), 2),
    **dict.fromkeys(("runtime",), 3),
    **dict.fromkeys(("readers", "stores", "cluster"), 4),
    **dict.fromkeys(("server",), 5),
    **dict.fromkeys(("cli", "testing", "client", "__main__"), 6),
}
BESIDE = {"web", "games"}  # of no floor: games use the public API, which is `monkeytown` itself
PURE = 2  # up to here nothing waits, connects or looks at a clock
IMPURE = {
    *(
        "asyncio",
        "concurrent",
        "multiprocessing",
        "selectors",
        "socket",
        "ssl",
        "subprocess",
        "threading",
        "time",
    ),
    *(
        "anyio",
        "click",
        "starlette",
        "structlog",
        "uvicorn",
        "uvloop",
        "websockets",
        "httptools",
        "watchfiles",
    ),
}
MAX_LINES = {".py": 400, ".pyx": 480}  # splitting compiled code costs calls between modules
MAX_FUNCTION = 60

MODULES = {
    ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__"): path
    for path in SOURCES.rglob("*.py")
}
INSIDE = sorted(MODULES.keys() - {"__init__"})


def place(module: str) -> str:
    return module.partition(".")[0]


def imports(path: Path, *, typing: bool = False) -> Iterator[str]:
    """Full names of what a module imports; what only type checkers import if asked for."""
    tree = ast.parse(path.read_text())
    for_typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_typing and not typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> Iterator[str]:
    """Modules of this package that a module imports."""
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "monkeytown":
            continue
        while len(parts) > 1 and ".".join(parts[1:]) not in MODULES and parts[1] != "_core":
            parts.pop()
        yield ".".join(parts[1:])


@pytest.mark.parametrize("module", INSIDE)
def test_every_module_has_a_floor_or_stands_beside(module: str) -> None:
    assert place(module) in FLOORS.keys() | BESIDE


@pytest.mark.parametrize("module", [module for module in INSIDE if place(module) in FLOORS])
def test_imports_point_downwards(module: str) -> None:
    floor = FLOORS[place(module)]
    for name in ours(MODULES[module]):
        if place(name) in BESIDE:
            assert floor >= 5, f"{module} imports {name}"
        elif name:
            assert FLOORS[place(name)] <= floor, f"{module} imports {name}"


@pytest.mark.parametrize("module", [module for module in INSIDE if FLOORS.get(place(module), 9) <= PURE])
def test_the_lower_floors_are_pure(module: str) -> None:
    for name in imports(MODULES[module], typing=True):
        assert name.partition(".")[0] not in IMPURE, f"{module} imports {name}"
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), f"{module}:{node.lineno} waits"


def test_room_and_protocol_do_not_know_each_other() -> None:
    for module in INSIDE:
        for place_, other in (("room", "protocol"), ("protocol", "room")):
            if place(module) == place_:
                assert not any(place(name) == other for name in ours(MODULES[module])), module


def test_rules_do_not_know_their_room() -> None:
    assert not {name for name in ours(MODULES["game"]) if place(name) in ("room", "protocol", "schema")}


@pytest.mark.parametrize(
    "module", [module for module in INSIDE if place(module) == "games" and module != "games"]
)
def test_games_know_only_the_public_api(module: str) -> None:
    assert set(ours(MODULES[module])) == {""}


def test_nothing_imports_in_a_circle() -> None:
    graph = {module: {name for name in ours(path) if name in MODULES} for module, path in MODULES.items()}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_nothing_below_the_top_imports_the_package_itself() -> None:
    for module in INSIDE:
        if place(module) in FLOORS and FLOORS[place(module)] < 6:
            assert "" not in set(ours(MODULES[module])), module


@pytest.mark.parametrize("path", sorted([*MODULES.values(), *CORE.glob("*.pyx")]), ids=lambda path: path.stem)
def test_files_stay_readable(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES[path.suffix]
    assert text.lstrip().startswith('"""'), f"{path} does not say what it knows"
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                start = node.body[0].lineno if ast.get_docstring(node) is None else node.body[0].end_lineno
                length = (node.end_lineno or 0) - (start or 0) + 1
                assert length <= MAX_FUNCTION, f"{path}: {node.name} has {length} lines"
