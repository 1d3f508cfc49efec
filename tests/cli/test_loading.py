"""From what is typed to a class of game, or to one line that says why not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monkeytown.cli.loading import built_in_games, load
from monkeytown.errors import StartError

GAME = """
from monkeytown import Entity, Game, fixed, table

class Dot(Entity):
    x = fixed(0, 1)

class Dots(Game):
    dots = table(Dot)
"""


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, text: str, name: str = "mygame.py") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def why_not(text: str) -> str:
    with pytest.raises(StartError) as error:
        load(text)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_games_that_come_along_are_found_by_name():
    assert built_in_games() == ["jungle", "swarm", "tictactoe"]
    assert load("jungle").title == "Jungle"
    assert load("tictactoe:TicTacToe").__name__ == "TicTacToe"


def test_a_file_is_a_module_of_its_own_that_can_import_its_neighbours(tmp_path: Path):
    write(tmp_path, "SPEED = 3", "neighbour_of_mygame.py")
    game = load(write(tmp_path, "from neighbour_of_mygame import SPEED\n" + GAME))
    assert (game.__name__, game.__module__) == ("Dots", "mygame")
    assert sys.modules["mygame"].SPEED == 3


def test_a_file_whose_name_is_no_identifier_can_be_run(tmp_path: Path):
    assert load(write(tmp_path, GAME, "my-game.v2.py")).__module__ == "my_game_v2"


def test_of_several_games_one_is_named(tmp_path: Path):
    path = write(tmp_path, GAME + "\nclass More(Game):\n    dots = table(Dot)\n")
    assert load(f"{path}:More").__name__ == "More"
    assert "several games (Dots, More); name one: mygame.py:Dots" in why_not(path)
    assert "no game named Chess; it has Dots, More" in why_not(f"{path}:Chess")
    assert "no game named Dot;" in why_not(f"{path}:Dot")


def test_a_base_of_the_game_is_not_the_game(tmp_path: Path):
    path = write(tmp_path, GAME + "\nclass Fast(Dots):\n    tick_rate = 120\n")
    assert load(path).__name__ == "Fast"
    assert load(f"{path}:Dots").__name__ == "Dots"


def test_an_imported_game_counts_only_when_it_is_named(tmp_path: Path):
    text = "from monkeytown.games.tictactoe import TicTacToe\n" + GAME
    assert load(write(tmp_path, text)).__name__ == "Dots"
    assert load(write(tmp_path, text, "again.py") + ":TicTacToe").__name__ == "TicTacToe"


def test_what_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert why_not("mygame.py") == "there is no file mygame.py"
    assert "give a file (mygame.py) or one of: jungle, swarm, tictactoe" in why_not("chess")
    write(tmp_path, GAME)
    assert "did you mean the file mygame.py?" in why_not("mygame")
    (tmp_path / "folder.py").mkdir()
    assert why_not("folder.py") == "folder.py is not a file"


def test_a_file_without_a_game_is_said(tmp_path: Path):
    assert "has no game: no class in it derives from monkeytown.Game" in why_not(write(tmp_path, "x = 1"))


def test_a_game_without_a_table_is_said_with_its_line(tmp_path: Path):
    path = write(tmp_path, "from monkeytown import Game\n\nclass Bare(Game):\n    pass\n")
    assert why_not(path).startswith(f"{path}:3: ")
    assert "Bare has no table" in why_not(path)


def test_a_syntax_error_names_file_and_line(tmp_path: Path):
    path = write(tmp_path, GAME + "    def on_join(self, player:\n")
    assert why_not(path).startswith(f"{path}:9: ")


def test_an_error_in_the_file_names_the_line_that_made_it(tmp_path: Path):
    write(tmp_path, "def half(n):\n    return n / 0\n", "halves_of_mygame.py")
    path = write(tmp_path, "from halves_of_mygame import half\nhalf(3)\n")
    assert why_not(path) == f"{tmp_path / 'halves_of_mygame.py'}:2: ZeroDivisionError: division by zero"
    assert "mygame" not in sys.modules


def test_a_wrong_field_names_the_line_of_the_game(tmp_path: Path):
    path = write(tmp_path, GAME.replace("fixed(0, 1)", "fixed(1, 0)"))
    assert why_not(path).startswith(f"{path}:5: SchemaError: ")


@pytest.mark.parametrize("name", ["random.py", "json.py", "monkeytown.py", "click.py"])
def test_a_file_that_would_hide_a_module_is_refused(tmp_path: Path, name: str):
    assert "give the file another name" in why_not(write(tmp_path, GAME, name))
