"""What a batch of records comes to: rows, by table. Pure: knows records and columns, and no database.

Records that are kept as they are (events, chat, scores, results) become a row each. All else is folded: one row for each
player, game and participant, so that a statement meets each of them once. Whatever is folded says when it was so, and the
statements keep what is newest; so it does not matter how often, in which order and in which company a record comes.

Rows are in the order of their keys. Whoever writes the same ones at the same time then takes their locks in the same order,
and neither holds what the other waits for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

import msgspec

from monkeytown.errors import RecordRefused
from monkeytown.room.ledger import Kind
from monkeytown.stores.database import Row
from monkeytown.stores.known import Ranking
from monkeytown.stores.records import Record
from monkeytown.stores.text import an_id, text

__all__ = ["ALL_TIME", "LARGEST_SCORE", "Batch", "Key", "place_of", "week_of"]

ALL_TIME = ""
LARGEST_SCORE = 2.0**53
"""Up to here every whole number is one; beyond, sums would lose points."""

Key = tuple[str, int, int]
T = TypeVar("T")


class _Opened(msgspec.Struct):
    mode: str = ""
    private: bool = False


class _Joined(msgspec.Struct):
    name: str = ""
    guest: bool = False


class _Event(msgspec.Struct):
    event: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Chat(msgspec.Struct):
    name: str = ""
    text: str = ""


class _Score(msgspec.Struct):
    score: float
    name: str = ""
    guest: bool = False
    order: Ranking = "best"


class _Result(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")


class _Data(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Closed(msgspec.Struct):
    reason: str = ""
    failed: bool = False


def _decoder(content: type[T]) -> Callable[[Record], T]:
    decode = msgspec.json.Decoder(content).decode

    def read(record: Record) -> T:
        try:
            return decode(record.content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RecordRefused(f"{record.kind} {record.sequence} of room {record.room}: {error}") from error

    return read


_opened, _joined, _closed = _decoder(_Opened), _decoder(_Joined), _decoder(_Closed)
_event, _chat, _score = _decoder(_Event), _decoder(_Chat), _decoder(_Score)
_result, _data = _decoder(_Result), _decoder(_Data)


class _Player:
    """The newest that a batch says of a player."""

    __slots__ = ("created", "data", "data_at", "guest", "name", "named", "seen")

    def __init__(self, time: float) -> None:
        self.name, self.named, self.guest = "", 0.0, False
        self.data: str | None = None
        self.data_at: tuple[float, int, int] = (0.0, 0, 0)
        self.created = self.seen = time


class _Game:
    __slots__ = ("closed", "closed_epoch", "failed", "game", "mode", "opened", "private", "reason")

    def __init__(self, game: str, time: float) -> None:
        self.game, self.opened = game, time
        self.mode: str | None = None
        self.private = self.failed = False
        self.closed: float | None = None
        self.closed_epoch = 0
        self.reason = ""


class _Participant:
    __slots__ = ("at", "joined", "left")

    def __init__(self, time: float) -> None:
        self.at = (0, 0)
        self.joined = time
        self.left: float | None = None


class Batch:
    """The rows of some records. Raises `RecordRefused` for one that no database could hold."""

    def __init__(self) -> None:
        self.events: dict[Key, Row] = {}
        self.chat: dict[Key, Row] = {}
        self.scores: dict[Key, Row] = {}
        self.results: dict[Key, Row] = {}
        self._players: dict[str, _Player] = {}
        self._games: dict[str, _Game] = {}
        self._participants: dict[tuple[str, str], _Participant] = {}

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            if not math.isfinite(record.time):
                raise RecordRefused(f"{record.kind} {record.sequence} of room {record.room} has no time")
            room, player = an_id(record.room), an_id(record.player)
            _ADD[record.kind](self, record, (room, record.epoch, record.sequence), player)

    # ---- each kind ----

    def _add_opened(self, record: Record, key: Key, player: str) -> None:
        content = _opened(record)
        game = self._game(record, key)
        if game.mode is None or record.time < game.opened:
            game.mode, game.private, game.opened = text(content.mode), content.private, record.time
        self._note(record, key, player)

    def _add_closed(self, record: Record, key: Key, player: str) -> None:
        content = _closed(record)
        game = self._game(record, key)
        if record.epoch > game.closed_epoch:
            game.closed, game.closed_epoch = record.time, record.epoch
            game.reason, game.failed = text(content.reason), content.failed
        self._note(record, key, player)

    def _add_joined(self, record: Record, key: Key, player: str) -> None:
        content = _joined(record)
        self._named(record, player, text(content.name), content.guest)
        participant = self._participant(record, key, player)
        at = key[1:]
        if at > participant.at:
            participant.left, participant.at = None, at
        self._note(record, key, player)

    def _add_left(self, record: Record, key: Key, player: str) -> None:
        self._seen(record, player)
        participant = self._participant(record, key, player)
        at = key[1:]
        if at > participant.at:
            participant.left, participant.at = record.time, at
        self._note(record, key, player)

    def _add_event(self, record: Record, key: Key, player: str) -> None:
        content = _event(record)
        self._note(record, key, player, text(content.event), _json(content.data))

    def _add_data(self, record: Record, key: Key, player: str) -> None:
        content = _data(record)
        known = self._seen(record, player)
        at = (record.time, record.epoch, record.sequence)
        if at > known.data_at:
            known.data, known.data_at = _json(content.data), at
        self._note(record, key, player)

    def _add_chat(self, record: Record, key: Key, player: str) -> None:
        content = _chat(record)
        name = text(content.name)
        self._seen(record, player)
        self.chat.setdefault(key, (*key, record.time, player, name, text(content.text)))

    def _add_score(self, record: Record, key: Key, player: str) -> None:
        content = _score(record)
        if not abs(content.score) <= LARGEST_SCORE:
            raise RecordRefused(f"score {record.sequence} of room {record.room} is beyond 2**53")
        if not player:
            raise RecordRefused(f"score {record.sequence} of room {record.room} is nobody's")
        week_of(record.time)
        self._named(record, player, text(content.name), content.guest)
        row = (*key, record.time, an_id(record.game), player, content.score, content.order)
        self.scores.setdefault(key, row)

    def _add_result(self, record: Record, key: Key, player: str) -> None:
        self.results.setdefault(key, (*key, record.time, _json(_result(record).result)))

    def _note(self, record: Record, key: Key, player: str, event: str = "", data: str | None = None) -> None:
        self.events.setdefault(key, (*key, record.time, record.kind.value, player, event, data))

    # ---- what is folded ----

    def _seen(self, record: Record, player: str) -> _Player:
        known = self._players.get(player)
        if known is None:
            known = self._players[player] = _Player(record.time)
        known.created = min(known.created, record.time)
        known.seen = max(known.seen, record.time)
        return known

    def _named(self, record: Record, player: str, name: str, guest: bool) -> None:
        known = self._seen(record, player)
        if (record.time, name) > (known.named, known.name):
            known.name, known.named, known.guest = name, record.time, guest

    def _game(self, record: Record, key: Key) -> _Game:
        game = self._games.get(key[0])
        if game is None:
            game = self._games[key[0]] = _Game(an_id(record.game), record.time)
        return game

    def _participant(self, record: Record, key: Key, player: str) -> _Participant:
        both = (key[0], player)
        participant = self._participants.get(both)
        if participant is None:
            participant = self._participants[both] = _Participant(record.time)
        participant.joined = min(participant.joined, record.time)
        return participant

    # ---- rows ----

    def players(self) -> list[Row]:
        """id, name, named, guest, data, data_time, data_epoch, data_sequence, created, seen"""
        return [
            (id, it.name, it.named, it.guest, it.data, *it.data_at, it.created, it.seen)
            for id, it in sorted(self._players.items(), key=lambda item: item[0])
            if id
        ]

    def games(self) -> list[Row]:
        """room, game, mode, private, opened, closed, closed_epoch, reason, failed"""
        return [
            (room, it.game, it.mode, it.private, it.opened, it.closed, it.closed_epoch, it.reason, it.failed)
            for room, it in sorted(self._games.items(), key=lambda item: item[0])
        ]

    def participants(self) -> list[Row]:
        """room, player, joined, left_at, epoch, sequence"""
        return [
            (*both, it.joined, it.left, *it.at)
            for both, it in sorted(self._participants.items(), key=lambda item: item[0])
            if both[1]
        ]


_ADD: dict[Kind, Callable[[Batch, Record, Key, str], None]] = {
    Kind.OPENED: Batch._add_opened,
    Kind.JOINED: Batch._add_joined,
    Kind.LEFT: Batch._add_left,
    Kind.EVENT: Batch._add_event,
    Kind.CHAT: Batch._add_chat,
    Kind.SCORE: Batch._add_score,
    Kind.RESULT: Batch._add_result,
    Kind.DATA: Batch._add_data,
    Kind.CLOSED: Batch._add_closed,
}


def boards(scores: Iterable[Row]) -> list[Row]:
    """game, ranking, newest: of rows of scores."""
    newest: dict[str, tuple[float, str]] = {}
    for _, _, _, time, game, _, _, ranking in scores:
        newest[game] = max(newest.get(game, (0.0, "")), (time, ranking))
    return [(game, ranking, time) for game, (time, ranking) in sorted(newest.items())]


def standings(scores: Iterable[Row]) -> list[Row]:
    """game, period, ranking, player, place: what rows of scores that are new add to the boards."""
    places: dict[tuple[str, str, Ranking, str], float] = {}
    for _, _, _, time, game, player, score, ranking in scores:
        place = place_of(score, ranking)
        for period in (ALL_TIME, week_of(time)):
            key = (game, period, ranking, player)
            before = places.get(key)
            if before is None:
                places[key] = place
            else:
                places[key] = before + place if ranking == "total" else min(before, place)
    return [(*key, place) for key, place in sorted(places.items())]


def place_of(score: float, ranking: Ranking) -> float:
    """What a board is sorted by, lowest first. The same makes it a score again."""
    return score if ranking == "lowest" else 0.0 - score


def week_of(time: float) -> str:
    """The week of ISO 8601 that a time is in, such as 2026-W48."""
    return _week_of_day(math.floor(time / 86400))


@lru_cache(maxsize=1000)
def _week_of_day(day: int) -> str:
    try:
        year, week, _ = datetime.fromtimestamp(day * 86400, UTC).isocalendar()
    except (ValueError, OverflowError, OSError) as error:
        raise RecordRefused(f"day {day} since 1970 is in no calendar: {error}") from error
    return f"{year:04}-W{week:02}"


def _json(value: msgspec.Raw) -> str:
    return bytes(value).decode()
