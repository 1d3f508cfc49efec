"""Whether this instance lives, and whether it should be sent players.

Knows a flag and nothing else: live is whoever can answer; ready is whoever has started and is not about to stop.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

__all__ = ["Health"]


class Health:
    """`/health/live` and `/health/ready`."""

    def __init__(self) -> None:
        self.ready = False

    @property
    def routes(self) -> list[Route]:
        return [Route("/health/live", self._live), Route("/health/ready", self._ready)]

    async def _live(self, request: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    async def _ready(self, request: Request) -> JSONResponse:
        if self.ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, 503)
