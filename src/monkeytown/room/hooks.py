"""What becomes of an error in the rules: a `HookError` that points at the game's own line.

Knows tracebacks and which files are ours; does not call hooks itself.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from pathlib import Path
from traceback import walk_tb
from types import CodeType

from monkeytown.errors import HookError

__all__ = ["hook_error"]

_FRAMEWORK = str(Path(__file__).resolve().parents[1]) + os.sep
_GAMES = str(Path(_FRAMEWORK, "games")) + os.sep
_ELSEWHERE = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def hook_error(
    *, game: str, hook: str, room: str, call: Callable[..., object], cause: BaseException
) -> HookError:
    """The error of a hook, with the line of the game's own code where the exception passed through last.

    When it never was in the game's code (a hook with the wrong parameters), the line is where `call` is
    defined.
    """
    file, line = _defined_at(call)
    for frame, number in walk_tb(cause.__traceback__):
        if _is_games_own(frame.f_code):
            file, line = frame.f_code.co_filename, number
    return HookError(game=game, hook=hook, room=room, file=file, line=line, cause=cause)


def _is_games_own(code: CodeType) -> bool:
    file = code.co_filename
    if file.startswith("<") or file.endswith((".pyx", ".pxd")):
        return False
    if file.startswith(_FRAMEWORK):
        return file.startswith(_GAMES)
    return not file.startswith(_ELSEWHERE)


def _defined_at(call: Callable[..., object]) -> tuple[str, int]:
    function = getattr(call, "__func__", call)
    code = getattr(function, "__code__", None)
    if code is None:
        return "?", 0
    return code.co_filename, code.co_firstlineno
