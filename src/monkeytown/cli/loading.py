"""From what a person types (`jungle`, `dots.py`, `dots.py:Dots`) to a class of game, or one line that says why not.

Knows files, modules and where in a file an error sits. It must not know what is done with the game afterwards.
"""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
import re
import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from monkeytown import games
from monkeytown.errors import StartError
from monkeytown.game import Game
from monkeytown.schema import Schema

__all__ = ["Target", "built_in_games", "load", "parse", "refuse_shadowing"]


_SPELLING = re.compile(r"(.+?)(?::([A-Za-z_]\w*))?")


class Target(NamedTuple):
    """What was asked for: a file or the name of a built-in game, and perhaps one class in it."""

    name: str
    path: Path | None
    class_name: str | None


def built_in_games() -> list[str]:
    """The names of the games that come with Monkeytown."""
    return sorted(
        module.name for module in pkgutil.iter_modules(games.__path__) if not module.name.startswith("_")
    )


def parse(text: str) -> Target:
    """Split `FILE.py[:Class] | GAME[:Class]`; raises StartError for what is neither."""
    spelled = _SPELLING.fullmatch(text)
    place, class_name = spelled.groups() if spelled else (text, None)
    if place.endswith(".py"):
        path = Path(place).expanduser()
        if not path.exists():
            raise StartError(f"there is no file {place}")
        if not path.is_file():
            raise StartError(f"{place} is not a file")
        return Target(path.stem, path.resolve(), class_name)
    if place in built_in_games():
        return Target(place, None, class_name)
    if Path(place + ".py").is_file():
        raise StartError(f"there is no game named {place!r}; did you mean the file {place}.py?")
    raise StartError(
        f"there is no game named {place!r}; give a file (mygame.py) or one of: {', '.join(built_in_games())}"
    )


def load(text: str) -> type[Game]:
    """The class of game that `text` names, its schema checked; raises StartError with one clear line."""
    target = parse(text)
    module = (
        import_module(f"{games.__name__}.{target.name}") if target.path is None else _import_file(target.path)
    )
    game = _choose(module, target)
    try:
        Schema.of(game)
    except Exception as error:
        raise StartError(f"{inspect.getsourcefile(game)}:{_line_of(game)}: {_one_line(error)}") from error
    return game


def _import_file(path: Path) -> ModuleType:
    """Import `path` as a top-level module of its own, with its folder first on `sys.path` as `python FILE` has it."""
    name = re.sub(r"\W", "_", path.stem)
    refuse_shadowing(name, path)
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AssertionError(f"no loader for {path}, which ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise StartError(_describe(error, path)) from error
    return module


def refuse_shadowing(name: str, path: Path) -> None:
    """A game named `random.py` would hide the module of that name from everything imported after it."""
    known = sys.modules.get(name)
    file = getattr(known, "__file__", None)
    taken = name in sys.stdlib_module_names or name == "monkeytown"
    if taken or (known is not None and (file is None or Path(file).resolve() != path)):
        raise StartError(f"{path.name} would hide the module {name!r}; give the file another name")


def _choose(module: ModuleType, target: Target) -> type[Game]:
    found = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Game) and value is not Game
    }
    place = target.path.name if target.path else target.name
    if target.class_name is not None:
        if target.class_name in found:
            return found[target.class_name]
        hint = f"it has {', '.join(found)}" if found else "it has no game"
        raise StartError(f"{place} has no game named {target.class_name}; {hint}")
    own = [game for game in found.values() if game.__module__ == module.__name__]
    # A base that only carries what two games share is not itself meant to be played.
    leaves = list(dict.fromkeys(game for game in own if not any(game in other.__mro__[1:] for other in own)))
    if not leaves:
        raise StartError(f"{place} has no game: no class in it derives from monkeytown.Game")
    if len(leaves) > 1:
        names = [game.__name__ for game in leaves]
        raise StartError(f"{place} has several games ({', '.join(names)}); name one: {place}:{names[0]}")
    return leaves[0]


def _line_of(game: type[Game]) -> int:
    return inspect.getsourcelines(game)[1]


def _describe(error: Exception, path: Path) -> str:
    """`file:line: what`, with the deepest line of the game's own code that the exception passed through."""
    if isinstance(error, SyntaxError):
        return f"{error.filename or path}:{error.lineno or 1}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve().is_relative_to(path.parent)] or frames
    return f"{own[-1].filename}:{own[-1].lineno}: {_one_line(error)}"


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
