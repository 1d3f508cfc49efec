"""What a developer derives from and is given: names, checks, players, timers."""

from __future__ import annotations

from typing import Any

import pytest

from monkeytown import Entity, Game, Identity, Player, SchemaError, Timer, everything, singleton, uint
from monkeytown.game import HOOKS, MAX_TICK_RATE
from monkeytown.games.jungle import Jungle, Steer
from monkeytown.room.room import Room


class Dot(Entity):
    x = uint(8)


class Dots(Game):
    dot = singleton(Dot)


def made(**attributes: Any) -> type[Game]:
    return type("Made", (Dots,), attributes)


class TestAGameClass:
    def test_is_named_after_itself(self) -> None:
        assert (Dots.name, Dots.title) == ("dots", "Dots")

    def test_may_have_names_of_its_own_which_it_does_not_hand_on(self) -> None:
        named = made(name="dots-2", title="Dots, again")
        assert (named.name, named.title) == ("dots-2", "Dots, again")
        below = type("Below", (named,), {})
        assert (below.name, below.title) == ("below", "Below")

    @pytest.mark.parametrize(
        ("attributes", "words"),
        [
            ({"name": "two words"}, r"Made\.name is 'two words'"),
            ({"name": ""}, r"Made\.name"),
            ({"tick_rate": 0.5}, r"Made\.tick_rate is 0\.5"),
            ({"tick_rate": -1}, r"Made\.tick_rate"),
            ({"tick_rate": MAX_TICK_RATE + 1}, r"Made\.tick_rate"),
            ({"tick_rate": True}, r"Made\.tick_rate"),
            ({"max_players": -1}, r"Made\.max_players is -1"),
            ({"max_players": "many"}, r"Made\.max_players"),
            ({"seat_seconds": -1}, r"Made\.seat_seconds is -1"),
            ({"seat_seconds": float("nan")}, r"Made\.seat_seconds is nan"),
            ({"seat_seconds": True}, r"Made\.seat_seconds"),
            ({"seat_seconds": "long"}, r"Made\.seat_seconds"),
            ({"load": lambda self, saved: None}, r"Made has load and no save"),
            ({"record": 1}, r"Made\.record is 1: use True or False"),
            ({"on_auth": lambda self, token: None}, r"Made\.on_auth is called before there is a room"),
            ({"chat_history": -1}, r"Made\.chat_history is -1"),
            ({"chat_history": 1.5}, r"Made\.chat_history is 1\.5"),
            ({"leaderboard": "worst"}, r"Made\.leaderboard is 'worst': use best, lowest or total"),
            ({"view": lambda self, player: None}, r"Made\.view is <function .*: use area"),
            ({"view": everything(delay=2)}, r"Made\.view is Everything\(delay=2\.0\): use area"),
            ({"on_jion": lambda self, player: None}, "did you mean on_join"),
            ({"on_ticks": lambda self, dt: None}, "did you mean on_tick"),
            ({"on_inputs": lambda self, batch: None}, r"Made\.on_inputs needs an input class"),
            (
                {
                    "input": Steer,
                    "on_inputs": lambda self, batch: None,
                    "on_input": lambda self, player, input: None,
                },
                "Made has on_input and on_inputs",
            ),
        ],
    )
    def test_says_what_is_wrong_with_it(self, attributes: dict[str, Any], words: str) -> None:
        with pytest.raises(SchemaError, match=words):
            made(**attributes)

    async def test_may_wait_for_who_a_token_stands_for(self) -> None:
        async def on_auth(cls: type[Game], token: str) -> Identity:
            return Identity(token)

        assert await made(on_auth=classmethod(on_auth)).on_auth("ann") == Identity("ann")
        assert Dots.on_auth("ann") is None

    @pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "on_auth"])
    def test_has_plain_functions_as_hooks(self, hook: str) -> None:
        async def waits(self: Any, *arguments: Any) -> None:
            pass

        with pytest.raises(SchemaError, match=f"{hook} is async"):
            made(**{hook: waits})

    def test_may_have_methods_of_any_other_name(self) -> None:
        assert made(on_collision=lambda self: None, on_purpose=5, onward=1)

    def test_may_take_inputs_as_columns_instead_of_one_by_one(self) -> None:
        columns = made(input=Steer, on_inputs=lambda self, batch: None)
        assert type("Below", (columns,), {"on_tick": lambda self, dt: None}).on_inputs is columns.on_inputs
        with pytest.raises(SchemaError, match="Below has on_input and on_inputs"):
            type("Below", (columns,), {"on_input": lambda self, player, input: None})

    def test_has_every_hook_it_promises(self) -> None:
        assert all(callable(getattr(Game, hook)) for hook in HOOKS)
        assert {name for name in vars(Game) if name.startswith("on_")} == set(HOOKS) - {"save", "load"}


class TestWhatAGameIsGiven:
    def test_is_there_before_its_own_init(self) -> None:
        seen: list[Any] = []

        class Eager(Dots):
            def __init__(self) -> None:
                seen.extend([self.dot.x, len(self.players), self.room_id, self.time, self.tick])
                self.dot.x = self.random.randrange(1, 100)

        room = Room(Eager, room_id="r-1", seed=3)
        assert seen == [0, 0, "r-1", 0.0, 1]
        assert room.game.dot.x > 0  # type: ignore[attr-defined]

    def test_tables_exist_in_a_room_only(self) -> None:
        with pytest.raises(SchemaError, match="only inside a room"):
            _ = Dots().dot
        with pytest.raises(SchemaError, match="only inside a room"):
            _ = Jungle().monkeys

    def test_dice_are_those_of_the_seed(self) -> None:
        rolls = [Room(Dots, room_id="r", seed=seed).game.random.random() for seed in (1, 1, 2)]
        assert rolls[0] == rolls[1] != rolls[2]


class TestPlayers:
    @pytest.fixture
    def game(self) -> Game:
        room = Room(Dots, room_id="r")
        for name in ("Ada", "Bob", "Cid"):
            room.join(name.lower(), name)
        return room.game

    def test_are_in_the_order_in_which_they_joined(self, game: Game) -> None:
        assert [player.name for player in game.players] == ["Ada", "Bob", "Cid"]
        assert [player.number for player in game.players] == [1, 2, 3]
        assert len(game.players) == 3

    def test_are_found_by_id(self, game: Game) -> None:
        bob = game.players["bob"]
        assert game.players.get("bob") is bob
        assert game.players.get("eve") is None
        with pytest.raises(KeyError):
            _ = game.players["eve"]

    def test_are_in_the_room_or_not(self, game: Game) -> None:
        assert "ada" in game.players
        assert game.players["ada"] in game.players
        assert "eve" not in game.players

    def test_take_attributes_of_the_games_own(self, game: Game) -> None:
        ada: Any = game.players["ada"]
        ada.team = "red"
        assert ada.team == "red"

    def test_have_a_name_for_people_who_debug(self, game: Game) -> None:
        assert repr(game.players["ada"]) == "<Player 1 'Ada'>"
        assert repr(game.players) == "<3 players>"


class TestDefaults:
    def test_leaving_despawns_the_players_entity(self) -> None:
        room = Room(Dots, room_id="r")
        for id in ("ada", "bob", "cid"):
            room.join(id)
        room.members["ada"].player.entity = room.game.dot  # type: ignore[attr-defined]
        room.leave("bob")
        assert len(room.tables[0]) == 1
        room.leave("ada")
        assert len(room.tables[0]) == 0

    def test_an_entity_that_is_gone_already_is_left_alone(self) -> None:
        room = Room(Dots, room_id="r")
        room.join("ada")
        room.members["ada"].player.entity = room.game.dot  # type: ignore[attr-defined]
        room.tables[0].clear()
        room.leave("ada")
        assert room.closed is None

    def test_chat_passes_and_the_rest_is_quiet(self) -> None:
        player: Any = Player.__new__(Player)
        game = object.__new__(Dots)
        assert game.on_chat(player, "hi") == "hi"
        game.on_input(player, None)
        game.on_dispose()


def test_a_timer_is_active_until_it_is_cancelled() -> None:
    timer = Timer()
    assert timer.active
    timer.cancel()
    assert not timer.active
