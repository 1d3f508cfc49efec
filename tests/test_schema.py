"""What a game declares becomes a schema, or an error that names the class and the field."""

from __future__ import annotations

import enum as standard
import json
import zlib
from typing import Any

import pytest

from monkeytown import (
    Entity,
    FieldError,
    Game,
    Input,
    NoSuchTick,
    SchemaError,
    angle,
    array,
    blob,
    boolean,
    enum,
    fixed,
    ref,
    singleton,
    sint,
    table,
    text,
    uint,
)
from monkeytown._core.state import commit
from monkeytown.schema import Schema


class Mood(standard.Enum):
    CALM = "calm"
    WILD = "wild"


class Tree(Entity):
    height = uint(4)


class Oak(Tree):
    rings = uint(8)


class Ape(Entity):
    x = fixed(-10, 10, step=0.5, predict="linear")
    heading = angle(6)
    debt = sint(5, overflow="raise")
    mood = enum(Mood, default=Mood.WILD)
    colour = enum("brown", "grey")
    awake = bool
    path = array(uint(3), 4)
    flags = array(bool, 2)
    home = ref(Tree)
    friend = ref("Ape")
    name = text(5)
    key = blob(3)
    secret = uint(8, owner_only=True, default=7)


class Wish(Input):
    turn = fixed(-1, 1, step=0.25)
    climb = bool


class Wood(Game):
    input = Wish
    apes = table(Ape, capacity=9)
    trees = table(Tree)
    oldest = singleton(Oak)


@pytest.fixture
def tables() -> dict[str, Any]:
    return Schema.of(Wood).build()


class TestTheDescription:
    def test_has_the_tables_in_their_order(self) -> None:
        described = Schema.of(Wood).describe()
        assert set(described) == {"hash", "input", "tables"}
        assert [
            (table["name"], table["entity"], table["capacity"], table["single"])
            for table in described["tables"]
        ] == [("apes", "Ape", 9, False), ("trees", "Tree", 1024, False), ("oldest", "Oak", 1, True)]

    def test_has_the_fields_in_their_order(self) -> None:
        fields = {field["name"]: field for field in Schema.of(Wood).describe()["tables"][0]["fields"]}
        assert list(fields) == [field.name for field in Ape.fields()]
        assert fields["x"] == {
            "name": "x",
            "type": "fixed",
            "count": 0,
            "predict": "linear",
            "ownerOnly": False,
            "bits": 6,
            "lo": -10,
            "hi": 10,
            "step": 0.5,
        }
        assert fields["mood"]["values"] == ["CALM", "WILD"]
        assert fields["path"]["count"] == 4
        assert fields["flags"]["type"] == "bool"
        assert (fields["home"]["table"], fields["friend"]["table"]) == (1, 0)
        assert (fields["name"]["max"], fields["key"]["max"]) == (5, 3)
        assert fields["secret"]["ownerOnly"]

    def test_inherits_fields_first(self) -> None:
        assert [field["name"] for field in Schema.of(Wood).describe()["tables"][2]["fields"]] == [
            "height",
            "rings",
        ]

    def test_is_hashed_as_the_wire_says(self) -> None:
        described = Schema.of(Wood).describe()
        compact = json.dumps(
            {"input": described["input"], "tables": described["tables"]},
            sort_keys=True,
            separators=(",", ":"),
        )
        assert described["hash"] == zlib.crc32(compact.encode())
        layout = {key: described["input"][key] for key in ("name", "fields")}
        compact = json.dumps(layout, sort_keys=True, separators=(",", ":"))
        assert described["input"]["hash"] == zlib.crc32(compact.encode()) & 0xFFFF

    def test_is_plain_data(self) -> None:
        described = Schema.of(Wood).describe()
        assert json.loads(json.dumps(described)) == described

    def test_is_made_once_for_a_class(self) -> None:
        assert Schema.of(Wood) is Schema.of(Wood)

    def test_of_a_game_without_input_has_none(self) -> None:
        assert Schema(type("Quiet", (Game,), {"trees": table(Tree)})).describe()["input"] is None

    def test_knows_what_a_game_inherits(self) -> None:
        class Grove(Wood):
            more = table(type("Bush", (Entity,), {"x": uint(4)}))

        assert [spec["name"] for spec in Schema.of(Grove).describe()["tables"]] == [
            "apes",
            "trees",
            "oldest",
            "more",
        ]


class TestTables:
    def test_are_made_for_one_room(self, tables: dict[str, Any]) -> None:
        other = Schema.of(Wood).build()
        tables["trees"].spawn()
        assert (len(tables["trees"]), len(other["trees"])) == (1, 0)

    def test_of_a_singleton_have_their_row(self, tables: dict[str, Any]) -> None:
        assert len(tables["oldest"]) == 1

    def test_look_up_refs_where_the_field_says(self, tables: dict[str, Any]) -> None:
        tree = tables["trees"].spawn(height=3)
        ape = tables["apes"].spawn(home=tree)
        ape.friend = ape
        assert (ape.home, ape.friend) == (tree, ape)
        tables["trees"].despawn(tree)
        assert ape.home is None

    def test_start_rows_with_the_defaults(self, tables: dict[str, Any]) -> None:
        ape = tables["apes"].spawn()
        assert (ape.x, ape.mood, ape.colour, ape.awake, ape.name, ape.secret) == (
            0,
            Mood.WILD,
            "brown",
            False,
            "",
            7,
        )
        assert list(ape.path) == [0] * 4

    def test_hold_values_to_their_fields(self, tables: dict[str, Any]) -> None:
        ape = tables["apes"].spawn(x=99, name="Methuselah", key=b"12345")
        assert (ape.x, ape.name, ape.key) == (10, "Methu", b"123")
        with pytest.raises(FieldError, match=r"Ape\.debt"):
            ape.debt = 16
        with pytest.raises(FieldError, match=r"Ape\.x"):
            ape.x = float("nan")


class TestInputs:
    def test_have_defaults_and_limits(self) -> None:
        wish = Wish(turn=5)
        assert (wish.turn, wish.climb) == (1.0, False)

    @pytest.mark.parametrize(
        ("field", "words"),
        [(text(3), "no text"), (blob(3), "no blob"), (ref(Tree), "no ref"), (array(uint(2), 2), "no array")],
    )
    def test_have_fields_of_fixed_size_only(self, field: Any, words: str) -> None:
        with pytest.raises(SchemaError, match=rf"Bad\.it: an input has {words}"):
            type("Bad", (Input,), {"it": field})


class TestWhatIsRefused:
    @pytest.mark.parametrize("name", ["id", "slot", "table", "alive", "owner", "fields", "_private"])
    def test_names_that_are_taken(self, name: str) -> None:
        with pytest.raises(SchemaError, match=rf"Bad\.{name}: the name is taken"):
            type("Bad", (Entity,), {name: uint(3)})

    def test_a_field_of_a_base_class_again(self) -> None:
        with pytest.raises(SchemaError, match=r"Sapling\.height is defined in a base class"):
            type("Sapling", (Tree,), {"height": uint(3)})

    def test_one_field_for_two_names(self) -> None:
        shared = uint(3)
        with pytest.raises(SchemaError, match=r"Bad\.other shares its field with Bad\.one"):
            type("Bad", (Entity,), {"one": shared, "other": shared})

    @pytest.mark.parametrize("entity", [Entity, int, "Tree", Tree.height, None])
    def test_tables_of_what_is_no_entity(self, entity: Any) -> None:
        with pytest.raises(SchemaError, match="a subclass of Entity"):
            table(entity)

    @pytest.mark.parametrize("inside", [text(3), blob(3), array(uint(2), 2), 5])
    def test_arrays_of_what_has_no_fixed_size(self, inside: Any) -> None:
        with pytest.raises(SchemaError, match="a numeric field"):
            array(inside, 2)

    @pytest.mark.parametrize("n", [0, 1025])
    def test_arrays_of_no_length(self, n: int) -> None:
        with pytest.raises(SchemaError, match="1 to 1024"):
            array(boolean(), n)

    def test_games_without_a_table(self) -> None:
        with pytest.raises(SchemaError, match="Empty has no table"):
            Schema.of(type("Empty", (Game,), {}))

    def test_games_with_too_many_tables(self) -> None:
        many = {f"t{n}": table(Tree) for n in range(201)}
        with pytest.raises(SchemaError, match="more than 200"):
            Schema.of(type("Many", (Game,), many))

    @pytest.mark.parametrize(("rewind", "rate"), [(-1, 60), (10.1, 60), (float("nan"), 60), (0.5, 0)])
    def test_pasts_of_no_length(self, rewind: float, rate: int) -> None:
        with pytest.raises(SchemaError, match="rewind takes 0 to 10 seconds"):
            Schema.of(type("Lost", (Game,), {"trees": table(Tree, rewind=rewind), "tick_rate": rate}))

    def test_inputs_that_are_none(self) -> None:
        with pytest.raises(SchemaError, match=r"Odd\.input is a subclass of Input"):
            Schema.of(type("Odd", (Game,), {"trees": table(Tree), "input": Tree}))

    @pytest.mark.parametrize(
        ("tables", "found"), [({}, "no tables"), ({"a": table(Tree), "b": table(Tree)}, "2 tables")]
    )
    def test_refs_without_one_table_of_their_own(self, tables: dict[str, Any], found: str) -> None:
        nest = type("Nest", (Entity,), {"tree": ref(Tree)})
        with pytest.raises(SchemaError, match=rf"Nest\.tree: {found} of Nests hold .*Tree.*; a ref needs"):
            Schema.of(type("Nests", (Game,), {"nests": table(nest), **tables}))


def test_a_table_keeps_as_many_seconds_as_it_is_asked_to() -> None:
    Kept = type("Kept", (Game,), {"trees": table(Tree, rewind=0.25), "tick_rate": 10})
    trees = Schema.of(Kept).build()["trees"]
    for tick in range(1, 10):
        commit((trees,), tick)
    assert [trees.at(tick).tick for tick in (6, 9)] == [6, 9]
    with pytest.raises(NoSuchTick, match="keeps ticks 6 to 9"):
        trees.at(5)


def test_on_the_class_a_table_is_its_declaration() -> None:
    assert (Wood.apes.name, Wood.apes.entity, Wood.apes.single) == ("apes", Ape, False)
    assert Wood.oldest.single
