"""Everything that Monkeytown raises, and every error code that a player can be told.

Floor 0: knows nothing else of the project.

    MonkeytownError
     ├─ SchemaError      a class of the game is not well formed            (the developer's fault)
     ├─ FieldError       a value that a field cannot hold; a ValueError     (the developer's fault)
     ├─ TableFull        a spawn beyond a table's capacity                  (the developer's fault)
     ├─ Gone             a handle to an entity that was despawned           (the developer's fault)
     ├─ NoSuchTick       a tick that a table does not keep; a LookupError   (the developer's fault)
     ├─ HookError        a hook of the game raised                          (the developer's fault)
     ├─ WireError        bytes that break docs/reference/wire.md            (the peer's fault)
     ├─ Refusal          a request that a player is told cannot be granted  (the player's fault)
     ├─ StartError       nothing can be served; one line says why           (the operator's fault)
     ├─ StoreDown        what is kept cannot be reached now: try again
     └─ RecordRefused    the database cannot hold this record, ever
"""

from __future__ import annotations

__all__ = [
    "ERROR_CODES",
    "FieldError",
    "Gone",
    "HookError",
    "MonkeytownError",
    "NoSuchTick",
    "RecordRefused",
    "Refusal",
    "SchemaError",
    "StartError",
    "StoreDown",
    "TableFull",
    "WireError",
]


class MonkeytownError(Exception):
    """The root of the tree above."""


class SchemaError(MonkeytownError):
    """A class of the game is not well formed; the message names the class and the field."""


class FieldError(MonkeytownError, ValueError):
    """A value that a field cannot hold; the message names the table or class, the field and the value."""


class TableFull(MonkeytownError):
    """A spawn beyond a table's capacity."""


class Gone(MonkeytownError):
    """A handle to an entity that was despawned."""


class NoSuchTick(MonkeytownError, LookupError):
    """A tick that a table does not keep: too long ago, or still to come."""


class WireError(MonkeytownError, ValueError):
    """Bytes that break docs/reference/wire.md."""


class StartError(MonkeytownError):
    """Nothing can be served. The message is one line for a person; the command line exits with code 2."""


class StoreDown(MonkeytownError):
    """The database cannot be reached, or did not answer in time; what was to be done may be tried again."""


class RecordRefused(MonkeytownError):
    """The database cannot hold this record, whoever tries again."""


class HookError(MonkeytownError):
    """A hook of a game raised. It ends the room, never the process.

    `file` and `line` point into the game's own code, where the exception passed through it last; the exception
    itself is `__cause__`.
    """

    def __init__(
        self, *, game: str, hook: str, room: str, file: str, line: int, cause: BaseException
    ) -> None:
        super().__init__(f"{game}.{hook} raised {type(cause).__name__}: {cause} ({file}:{line}, room {room})")
        self.game = game
        self.hook = hook
        self.room = room
        self.file = file
        self.line = line
        self.__cause__ = cause


class Refusal(MonkeytownError):
    """A request that cannot be granted. The player is sent a numbered `error`; nothing else is disturbed.

    Rules raise it with a message of their own (`raise Refusal("It is not your turn.")`).
    """

    def __init__(self, message: str = "", code: str = "GAME-100") -> None:
        self.code = code
        self.message = message or ERROR_CODES[code]
        super().__init__(f"{code}: {self.message}")


# docs/reference/errors.md shows this table; a test compares the two.
ERROR_CODES: dict[str, str] = {
    "AUTH-001": "The token was refused.",
    "AUTH-002": "This origin may not connect.",
    "AUTH-003": "The session is over, or was never yours.",
    "AUTH-004": "The token has expired.",
    "AUTH-005": "You are banned.",
    "AUTH-006": "A token is needed here.",
    "GAME-001": "There is no such game or room.",
    "GAME-002": "The room is full.",
    "GAME-003": "You are not in a game.",
    "GAME-004": "You are in a game already.",
    "GAME-005": "The rules of the game failed; the room has ended.",
    "GAME-006": "The room has closed.",
    "GAME-007": "You have opened too many rooms.",
    "GAME-008": "No more rooms can be opened here now.",
    "GAME-100": "The rules do not allow it.",
    "REST-001": "The request is malformed.",
    "REST-002": "Too many requests.",
    "REST-003": "There is nothing here.",
    "REST-004": "This cannot be done here.",
    "REST-005": "Only JSON is read here.",
    "REST-006": "The request is too large.",
    "REST-007": "The request makes no sense here.",
    "WS-001": "The subprotocol or version is not spoken here.",
    "WS-002": "Text came where binary is due, or the reverse.",
    "WS-003": "The message is malformed.",
    "WS-004": "The message is too large.",
    "WS-005": "The type of the message is unknown.",
    "WS-006": "The message has too many fragments.",
    "WS-007": "Too many pings.",
    "WS-008": "Too many connections from this address.",
    "WS-009": "The first message did not come in time.",
    "WS-010": "You acknowledge what you were not sent.",
    "WS-011": "A numbered message is missing.",
    "INPUT-001": "The input is malformed.",
    "INPUT-002": "The input belongs to another schema.",
    "INPUT-003": "Too many inputs.",
    "INPUT-004": "The chat message is too long.",
    "INPUT-005": "Too many chat messages.",
    "INPUT-006": "You are muted here.",
    "INPUT-007": "Slow mode is on.",
    "SYS-001": "The server failed to do this.",
    "SYS-002": "The server is shutting down.",
    "SYS-003": "What is kept cannot be reached now.",
}
