"""What is compared: how each server is started, what its clients speak, and how its results are checked.

Two kinds of work. FANOUT: one frame of 100 bytes to everybody. ARENA: rooms of fifty whose players all move; servers without
a state send them a prebuilt frame as long as Monkeytown's.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load_run import Load, free_port, process
from benchmarks.peers import motion_file
from benchmarks.peers.environment import NODE, PYTHON, RESULTS
from benchmarks.peers.verify import PLAYERS, verify_arena, verify_bytes, verify_fanout, verify_with_node
from benchmarks.programs import OUT

__all__ = ["ARENA", "FANOUT", "FRAME", "MOTION", "ROOM", "Peer", "load", "serving", "verify"]

SERVERS = Path(__file__).parent / "servers"
MOTION = RESULTS / "motion.bin"
FRAME = 100
ROOM = motion_file.ENTITIES
SETTLE = 3.0  # seconds in which a just-in-time compiler may warm up
SEAT_FILE = RESULTS / "seats.txt"


@dataclass(frozen=True)
class Peer:
    """A server and the work it does. `protocol` and `path` are the load's."""

    name: str
    command: tuple[object, ...]
    check: Callable[[int, dict[str, str]], None]
    protocol: str = "plain"
    path: str = "/"
    input_hz: float = 0
    options: tuple[object, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    stateful: bool = False


def _node(program: str) -> tuple[object, ...]:
    return (NODE, SERVERS / program)


def _python(program: str) -> tuple[object, ...]:
    return (PYTHON, SERVERS / program)


def _monkeytown(game: str, most: int) -> tuple[object, ...]:
    return (sys.executable, "-m", "monkeytown", "run", SERVERS / game, "--max-players", most)


def _bytes(port: int, environment: dict[str, str]) -> None:
    verify_bytes(port, int(environment["PEER_BYTES"]))


def _with_node(kind: str) -> Callable[[int, dict[str, str]], None]:
    return lambda port, environment: verify_with_node(kind, port, MOTION, environment)


def _socketio_bytes(port: int, environment: dict[str, str]) -> None:
    verify_with_node("socketio-bytes", port, MOTION, environment)


BARE = (OUT / "bare",)
PLAYS = ("--subprotocol", "monkeytown.1", "--game")
SOCKETIO = "/socket.io/?EIO=4&transport=websocket"

FANOUT = (
    Peer("bare C", BARE, _bytes, input_hz=5),
    Peer(
        "Monkeytown",
        _monkeytown("fanout.py", 20000),
        lambda port, _: verify_fanout(port),
        "monkeytown",
        "/ws",
        options=(*PLAYS, "fanout"),
    ),
    Peer("picows", _python("picows_server.py"), _bytes),
    Peer("websockets", _python("websockets_server.py"), _bytes),
    Peer("ws", _node("ws.mjs"), _bytes),
    Peer("Socket.IO", _node("socketio.mjs"), _socketio_bytes, "socketio", SOCKETIO),
    Peer(
        "python-socketio",
        _python("socketio_server.py"),
        _socketio_bytes,
        "socketio",
        SOCKETIO,
    ),
)

ARENA = (
    Peer(
        "Monkeytown",
        _monkeytown("arena.py", ROOM),
        lambda port, _: verify_arena(port, MOTION),
        "monkeytown",
        "/ws",
        options=(*PLAYS, "arena"),
        stateful=True,
    ),
    *(
        Peer(
            f"Colyseus {type}",
            _node("colyseus.mjs"),
            _with_node("colyseus"),
            "colyseus",
            "@seats",
            environment={"PEER_TYPE": type},
            stateful=True,
        )
        for type in ("float32", "uint16")
    ),
    Peer(
        "Socket.IO, JSON",
        _node("socketio.mjs"),
        _with_node("socketio"),
        "socketio",
        SOCKETIO,
        stateful=True,
    ),
    Peer(
        "python-socketio, JSON",
        _python("socketio_server.py"),
        _with_node("socketio"),
        "socketio",
        SOCKETIO,
        stateful=True,
    ),
    Peer("bare C, frames", BARE, _bytes, input_hz=5),
    Peer("picows, frames", _python("picows_server.py"), _bytes),
    Peer("websockets, frames", _python("websockets_server.py"), _bytes),
    Peer("ws, frames", _node("ws.mjs"), _bytes),
)


@contextmanager
def serving(peer: Peer, room: int, size: int) -> Iterator[tuple[int, int, dict[str, str]]]:
    """The server on its core: (port, process id, what it was told). `size` is that of a prebuilt frame."""
    port = free_port()
    told = {"PEER_PORT": str(port), "PEER_ROOM": str(room), "PEER_MOTION": str(MOTION)} | peer.environment
    if not peer.stateful:
        told["PEER_BYTES"] = str(size)
    command = list(peer.command)
    if command[0] == BARE[0]:
        # As a server of many rooms does, it spreads them over the interval; one room is sent at once.
        command += [port, size, 60, 1 if room >= 1000 else 2]
    if peer.protocol == "monkeytown":
        command += ["--port", port]
        # It does not send less often when it is too busy: what cannot be held is to show.
        told |= {"MONKEYTOWN_LOG_LEVEL": "warning", "MONKEYTOWN_MAX_STRIDE": "1"}
    with process(command, port, **told) as pid:
        yield port, pid, told


def load(program: Path, peer: Peer, port: int, clients: int, seconds: float) -> Load:
    path = f"@{_seats(port, clients)}" if peer.path == "@seats" else peer.path
    options = (*peer.options, "--settle", SETTLE)
    return Load(program, clients, seconds, peer.protocol, path, peer.input_hz, "00" * 10, options)


def _seats(port: int, clients: int) -> Path:
    """Reserves a seat for each client, as Colyseus' clients do, and gives the file of their paths."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    lines = []
    for _ in range(clients):
        headers = {"content-type": "application/json"}
        connection.request("POST", "/matchmake/joinOrCreate/arena", body="{}", headers=headers)
        seat = json.loads(connection.getresponse().read())
        lines.append(f"/{seat['processId']}/{seat['roomId']}?sessionId={seat['sessionId']}")
    connection.close()
    SEAT_FILE.write_text("\n".join(lines) + "\n")
    return SEAT_FILE


def verify(peer: Peer, size: int) -> None:
    """One untimed run: what arrives is what it should be, to the last value."""
    with serving(peer, PLAYERS, size) as (port, _, told):
        peer.check(port, told)
