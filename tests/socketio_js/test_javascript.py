"""The real `socket.io-client` plays tic-tac-toe against players with a WebSocket, over each way that it knows."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monkeytown.client import connect
from monkeytown.games.tictactoe import TicTacToe
from monkeytown.server.app import RunningServer, running
from monkeytown.server.settings import Settings
from tests.readers.clients import JsonClient, eventually, json_client

HERE = Path(__file__).parent
INSTALL = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", str(HERE)]
PATIENCE = 30.0


@pytest.fixture(scope="session")
def socketio_client() -> None:
    """`socket.io-client`, beside the script that uses it."""
    if (HERE / "node_modules" / "socket.io-client").exists():
        return
    if shutil.which("npm") is None:
        pytest.fail(
            "npm is missing: apt-get install nodejs npm (macOS: brew install node), then " + " ".join(INSTALL)
        )
    done = subprocess.run(INSTALL, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(INSTALL)} failed:\n{done.stderr}")


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running([TicTacToe], Settings(port=0)) as server:
        yield server


class NodePlayer:
    """The script, playing."""

    def __init__(
        self, node: str, server: RunningServer, transports: str, cells: str = "", script: str = "play.mjs"
    ) -> None:
        self.command = [node, str(HERE / script), server.url, transports, *cells]

    async def __aenter__(self) -> NodePlayer:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self.command, stdout=pipe, stderr=pipe)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def joined(self) -> None:
        await self.said(b"JOINED\n")

    async def said(self, expected: bytes) -> None:
        """Until it says so on its way."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            line = await self.process.stderr.readline()
            assert line == expected, line + await self.process.stderr.read()

    async def result(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            out, errors = await self.process.communicate()
        assert self.process.returncode == 0, errors.decode()
        return json.loads(out)


WAYS = ("websocket", "polling", "polling,websocket")


@pytest.mark.parametrize("transports", WAYS)
async def test_it_wins_against_a_player_with_the_binary_encoding(
    server: RunningServer, node_path: str, socketio_client: None, transports: str
) -> None:
    async with NodePlayer(node_path, server, transports, "012") as node:
        await node.joined()
        (hosted,) = server.rooms.rooms.values()
        async with await connect(server.url.replace("http", "ws") + "/ws", name="Ada") as client:
            room = await client.join(hosted.room.id)
            cells = iter((3, 4))
            ends: list[dict[str, Any]] = []

            def move(_: object) -> None:
                board = next(iter(room.tables["board"]))
                if board.turn == "O":
                    room.input({"place": next(cells)})
                elif board.winner:
                    ends.append({"cells": [*board.cells], "turn": "", "winner": board.winner})

            room.on("state", move)
            result = await node.result()
    check(result, transports)
    assert ends[0] == result["board"]
    assert ends[0]["winner"] == "X"
    assert result["answers"] == [result["joined"]] * 3
    await eventually(lambda: not hosted.sessions)  # its `disconnect()` is for good


@pytest.mark.parametrize("transports", WAYS)
async def test_it_loses_against_a_player_with_the_json_encoding(
    server: RunningServer, node_path: str, socketio_client: None, transports: str
) -> None:
    async with json_client(server) as ada:
        await ada.say("hello", name="Ada")
        await ada.join("tictactoe")
        (hosted,) = server.rooms.rooms.values()
        async with NodePlayer(node_path, server, transports, "34") as node:
            await node.joined()
            await win(ada)
            result = await node.result()
        check(result, transports)
        assert result["board"]["winner"] == "X"
        assert [seat["wins"] for seat in result["seats"].values()] == [1, 0]
        await eventually(lambda: len(hosted.sessions) == 1)  # it has left for good, and Ada is still there


@pytest.mark.parametrize("transport", WAYS[:2])
async def test_it_goes_on_after_its_connection_was_lost(
    server: RunningServer, node_path: str, socketio_client: None, transport: str
) -> None:
    async with json_client(server) as ada:
        await ada.join("tictactoe")
        (hosted,) = server.rooms.rooms.values()
        async with NodePlayer(node_path, server, transport, script="resume.mjs") as node:
            await node.joined()
            await ada.say("player_input", action={"place": 0})
            await eventually(lambda: server.metrics.resumed["delta"] == 1)
            member = hosted.room.members[
                next(id for id in hosted.sessions if hosted.sessions[id].name == "Node")
            ]
            assert member.player.connected
            hosted.room.act(member.id, {"place": 4})
            hosted.disturbed()
            result = await node.result()
    first, second = result["welcomes"]
    assert second["playerId"] == first["playerId"]
    assert (second["recovered"], second["resumed"]) == (True, "delta")
    assert result["bases"].count(None) == 1
    assert result["cells"][4] == "O"


async def win(ada: JsonClient) -> None:
    """Ada plays X, to the end."""
    turn, cells = "", [0, 1, 2]
    while cells:
        state = await ada.next("game_state")
        for row in state["tables"].get("board", {}).get("set", {}).values():
            turn = row.get("turn", turn)
        if turn == "X":
            await ada.say("player_input", action={"place": cells.pop(0)})
            turn = ""


def check(result: Any, transports: str) -> None:
    """What holds however it went."""
    assert result["name"] == "Node"
    assert result["joined"]["ok"] is True
    assert result["joined"]["playerId"] == result["playerId"]
    assert result["errors"] == []
    assert result["same"] is True, "the whole state differs from what the deltas had made"
    assert result["chat"] == [["Node", "good game"]]
    assert result["numbers"] == list(range(1, len(result["numbers"]) + 1))
    assert result["transport"] == transports.rpartition(",")[2]
    assert result["upgraded"] is ("," in transports)
