"""Recordings over HTTP: what there is in their folder, and the files, in parts where a part is asked for.

Knows the folder and what its files say of themselves, so that a server without a database has a list as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from websockets.datastructures import Headers

from monkeytown.errors import ERROR_CODES, WireError
from monkeytown.protocol.replay import Header
from monkeytown.protocol.replayfile import Recording, open_recording
from monkeytown.readers.handshake import Origins
from monkeytown.readers.replayfolder import SUFFIX

__all__ = ["ReplayFiles"]

PATH = "/api/v1/replays"
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
USUAL, MOST = 25, 100
ALLOWED = ("GET", "HEAD")
# All that come here, lest whatever is mounted above answers that there is nothing.
METHODS = [*ALLOWED, "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# A file never changes; it may be removed, and then it is to be gone for those who saw it, too.
CACHED = {"Cache-Control": "private, max-age=3600"}
FRESH = {"Cache-Control": "no-cache"}


class _Known(NamedTuple):
    """What a file said of itself when it was as it is."""

    changed: tuple[int, int]
    about: dict[str, Any] | None
    header: Header | None


def is_public(header: Header) -> bool:
    return not header.private


class ReplayFiles:
    """`is_listed`: whose recordings everybody may find. Whoever knows the id of another one may have that, too."""

    def __init__(
        self, folder: Path, origins: Origins, *, is_listed: Callable[[Header], bool] = is_public
    ) -> None:
        self._folder = folder
        self._origins = origins
        self._is_listed = is_listed
        self._known: dict[str, _Known] = {}

    @property
    def files(self) -> Route:
        """`GET /api/v1/replays/{id}/file`."""
        return Route(f"{PATH}/{{id}}/file", self._file, methods=METHODS)

    @property
    def listing(self) -> Route:
        """`GET /api/v1/replays`, for a server without a database."""
        return Route(PATH, self._list, methods=METHODS)

    async def _file(self, request: Request) -> Response:
        if (refused := self._refusal(request)) is not None:
            return refused
        id = request.path_params["id"]
        path = self._folder / f"{id}{SUFFIX}"
        if not ID.fullmatch(id):
            return _refused(404, "REST-003")
        try:
            found = await run_in_threadpool(path.stat)
        except OSError:
            return _refused(404, "REST-003")
        return FileResponse(path, headers=CACHED, media_type="application/octet-stream", stat_result=found)

    async def _list(self, request: Request) -> Response:
        if (refused := self._refusal(request)) is not None:
            return refused
        query = request.query_params
        number = query.get("limit", "")
        limit = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else USUAL
        wanted = {key: query[key] for key in ("game", "gameId") if key in query}
        if "room" in query:
            wanted["gameId"] = query["room"]
        limit = min(max(limit, 1), MOST)
        items = await run_in_threadpool(self._found, wanted, query.get("cursor"), limit)
        follows = items[limit - 1]["replayId"] if len(items) > limit else None
        return JSONResponse({"items": items[:limit], "next": follows}, headers=FRESH)

    def _refusal(self, request: Request) -> Response | None:
        if request.method not in ALLOWED:
            return _refused(405, "REST-004", Allow=", ".join(ALLOWED))
        return None if self._may_ask(request) else _refused(403, "AUTH-002")

    def _may_ask(self, request: Request) -> bool:
        asked = Headers()
        for name in ("origin", "host"):
            for value in request.headers.getlist(name):
                asked[name] = value
        return self._origins.allow(asked, secure=request.url.scheme == "https")

    # In a thread

    def _found(self, wanted: dict[str, str], before: str | None, limit: int) -> list[dict[str, Any]]:
        """One more than the limit, if there are as many: newest first."""
        ids = sorted((path.stem for path in self._folder.glob(f"*{SUFFIX}")), reverse=True)
        self._known = {id: self._known[id] for id in ids if id in self._known}
        found: list[dict[str, Any]] = []
        for id in ids:
            if not ID.fullmatch(id) or (before is not None and id >= before):
                continue
            known = self._look(id)
            if known.about is None or known.header is None or not self._is_listed(known.header):
                continue
            if wanted.items() <= known.about.items():
                found.append(known.about)
                if len(found) > limit:
                    break
        return found

    def _look(self, id: str) -> _Known:
        path = self._folder / f"{id}{SUFFIX}"
        try:
            status = path.stat()
            changed = (status.st_mtime_ns, status.st_size)
            known = self._known.get(id)
            if known is None or known.changed != changed:
                with path.open("rb") as file:

                    def read(offset: int, length: int) -> bytes:
                        file.seek(offset)
                        return file.read(length)

                    recording = open_recording(read, status.st_size)
                known = _Known(changed, _about(id, recording, status.st_size), recording.header)
        except FileNotFoundError:
            return _Known((0, 0), None, None)
        except (OSError, WireError):
            known = _Known(changed, None, None)
        self._known[id] = known
        return known


def _about(id: str, recording: Recording, size: int) -> dict[str, Any]:
    header, index = recording.header, recording.index
    return {
        "replayId": id,
        "gameId": header.room,
        "game": header.game,
        "title": header.title,
        "started": header.started,
        "ended": index.ended,
        "seconds": round(recording.seconds, 3),
        "ticks": index.until - index.blocks[0].at,
        "players": index.players,
        "size": size,
        "complete": index.complete,
    }


def _refused(status: int, code: str, **headers: str) -> Response:
    return JSONResponse({"code": code, "message": ERROR_CODES[code]}, status, headers)
