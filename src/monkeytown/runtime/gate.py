"""What is asked of whoever checks tokens: who a player is.

Knows the question, not the answer: `monkeytown.server.auth` has that.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

from monkeytown.errors import Refusal
from monkeytown.identity import Identity

__all__ = ["Gate", "OpenGate"]


class Gate(Protocol):
    """Lets players in."""

    @property
    def guests(self) -> bool:
        """Whether those without a token are let in."""

    def identify(self, token: str) -> Coroutine[Any, Any, Identity]:
        """Who a token stands for. Raises `Refusal`."""


class OpenGate:
    """Lets everybody in and knows nobody: for a server that checks no tokens."""

    guests = True

    async def identify(self, token: str) -> Identity:
        raise Refusal(code="AUTH-001")
