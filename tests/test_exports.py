"""The public API is one flat list, and each name in it has one home."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import monkeytown
from monkeytown import errors, fields, game, identity, player, schema, views
from monkeytown._core import grid

SOURCES = Path(monkeytown.__file__).parent
INTERNAL = {"AreaView", "Everything", "Grid", "HOOKS", "MAX_TICK_RATE", "Stage", "Schema", "ERROR_CODES"} | {
    "BOARD_ORDERS",
    "RecordRefused",
    "PLAYER_ID",
    "is_player_id",
    "StoreDown",
}


def test_the_package_exports_what_its_parts_offer_to_games() -> None:
    compiled = {name for name, value in vars(grid).items() if inspect.isroutine(value)}
    offered = {
        *errors.__all__,
        *fields.__all__,
        *game.__all__,
        *identity.__all__,
        *player.__all__,
        *schema.__all__,
        *views.__all__,
    } | compiled
    offered -= INTERNAL
    assert set(monkeytown.__all__) == offered


def test_exports_are_sorted_and_real() -> None:
    assert monkeytown.__all__ == sorted(monkeytown.__all__)
    for name in monkeytown.__all__:
        assert getattr(monkeytown, name).__module__.startswith("monkeytown.")


@pytest.mark.parametrize("file", sorted((SOURCES / "games").glob("[a-z]*.py")), ids=lambda file: file.stem)
def test_games_use_the_public_api_only(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("monkeytown"):
            assert node.module == "monkeytown"
            assert {alias.name for alias in node.names} <= set(monkeytown.__all__)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            raise AssertionError(f"line {node.lineno} reaches for {node.attr}")


@pytest.mark.parametrize(
    "file",
    sorted(file for folder in ("room", "protocol") for file in (SOURCES / folder).glob("[a-z]*.py")),
    ids=lambda file: f"{file.parent.name}.{file.stem}",
)
def test_what_a_module_offers_it_defines(file: Path) -> None:
    module = importlib.import_module(f"monkeytown.{file.parent.name}.{file.stem}")
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__module__ == module.__name__
