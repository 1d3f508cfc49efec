"""The pages: the built-in client, the games' own pages, their files, and what the server says about itself.

Knows files and games' names. Nothing is rendered: pages are static and ask the server over its socket.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from monkeytown.game import Game
from monkeytown.runtime.session import SERVER

__all__ = ["page_of", "routes"]

WEB = Path(__file__).resolve().parents[1] / "web"

# Files change with a new version or under a developer's hands: browsers ask, and mostly hear that nothing has changed.
REVALIDATE = {"Cache-Control": "no-cache"}


def page_of(game: type[Game]) -> Path | None:
    """The page that was made for a game that comes along; other games of the same name are not what it draws."""
    page = WEB / f"{game.name}.html"
    return page if game.__module__ == f"monkeytown.games.{game.name}" and page.is_file() else None


def routes(games: Sequence[type[Game]]) -> list[BaseRoute]:
    """`/` is the first game's page, or the built-in client if it has none."""
    client = WEB / "index.html"
    pages = {game.name: page for game in games if (page := page_of(game)) is not None}
    described = [
        {"name": game.name, "title": game.title, "page": f"/{game.name}" if game.name in pages else None}
        for game in games
    ]

    async def info(request: Request) -> JSONResponse:
        return JSONResponse({"games": described, "version": SERVER.partition("/")[2]})

    return [
        _page("/", pages.get(games[0].name, client) if games else client),
        _page("/client", client),
        _page("/replay", WEB / "replay.html"),
        *(_page(f"/{name}", page) for name, page in pages.items()),
        Route("/info", info),
        Mount("/web", _Files(directory=WEB)),
    ]


def _page(path: str, file: Path) -> Route:
    async def answer(request: Request) -> FileResponse:
        return FileResponse(file, headers=REVALIDATE)

    return Route(path, answer)


class _Files(StaticFiles):
    """Static files that browsers ask for again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(REVALIDATE)
        return response
