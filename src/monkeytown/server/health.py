"""Whether this instance lives, and whether it should be sent players.

Knows a flag and what else there is to say: live is whoever can answer; ready is whoever has started, is not about to stop,
and has nothing in its way.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

__all__ = ["Health"]


class Health:
    """`/health/live` and `/health/ready`."""

    def __init__(self, trouble: Callable[[], str | None] = lambda: None) -> None:
        self.ready = False
        self._trouble = trouble
        """What is in the way; None if nothing is."""

    @property
    def routes(self) -> list[Route]:
        return [Route("/health/live", self._live), Route("/health/ready", self._ready)]

    async def _live(self, request: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    async def _ready(self, request: Request) -> JSONResponse:
        trouble = self._trouble()
        if self.ready and trouble is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": trouble or "not running"}, 503)
