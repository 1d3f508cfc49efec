"""An error in a hook points at the game's own line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from monkeytown.errors import HookError
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.room.hooks import hook_error

from .pond import Wall


def fail_of(call: Callable[..., Any], *arguments: Any) -> HookError:
    try:
        call(*arguments)
    except Exception as error:
        # A room's own frame is one of ours; this one is a test's.
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        return hook_error(game="Wall", hook="on_x", room="r", call=call, cause=error)
    raise AssertionError("it did not fail")


def game_from(source: str, file: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, file, "exec"), names)
    return names


def test_the_line_is_the_games_last_one() -> None:
    source = "import json\ndef hook():\n    helper()\ndef helper():\n    json.loads('{')\n"
    error = fail_of(game_from(source, "/games/mine.py")["hook"])
    assert (error.file, error.line) == ("/games/mine.py", 5)
    assert "Wall.on_x raised JSONDecodeError" in str(error)
    assert "/games/mine.py:5, room r" in str(error)


def test_our_own_lines_are_not_the_games() -> None:
    source = "from monkeytown.room.mail import packed\ndef hook():\n    packed({'x': 2**70})\n"
    error = fail_of(game_from(source, "/games/mine.py")["hook"])
    assert (error.file, error.line) == ("/games/mine.py", 3)


def test_the_games_that_come_with_monkeytown_are_games() -> None:
    error = fail_of(TicTacToe.place, None, None, 0)
    assert Path(error.file).name == "tictactoe.py"


def test_a_hook_with_the_wrong_parameters_is_found_by_its_definition() -> None:
    error = fail_of(game_from("\n\ndef hook(self):\n    pass\n", "/games/mine.py")["hook"], 1, 2)
    assert (error.file, error.line) == ("/games/mine.py", 3)


def test_a_method_is_found_by_its_definition() -> None:
    error = fail_of(object.__new__(Wall).on_chat, 1, 2, 3)
    assert error.file.endswith("pond.py")


def test_what_has_no_line_has_none() -> None:
    error = fail_of(partial(int, "x"))
    assert (error.file, error.line) == ("?", 0)


def test_generated_code_is_not_a_file() -> None:
    error = fail_of(game_from("def hook():\n    1 / 0\n", "<string>")["hook"])
    assert (error.file, error.line) == ("<string>", 1)
