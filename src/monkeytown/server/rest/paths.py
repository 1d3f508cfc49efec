"""Which resource a path means.

Knows paths only. They are taken as they are: nobody is sent from one to another, and a line break is a character like others.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from monkeytown.server.rest.endpoints import Endpoint
from monkeytown.server.rest.resources import Desk, Resource

__all__ = ["Paths"]


class _Node:
    """What may follow a part of a path: a name that is known, or anything, which is then called something."""

    def __init__(self) -> None:
        self.named: dict[str, _Node] = {}
        self.anything: _Node | None = None
        self.called = ""
        self.resource: Resource | None = None

    def grow(self, part: str) -> _Node:
        if not part.startswith("{"):
            return self.named.setdefault(part, _Node())
        self.called = part.strip("{}")
        self.anything = self.anything or _Node()
        return self.anything


class Paths(BaseRoute):
    """All paths below a root. Those that there are not are answered as well."""

    def __init__(self, root: str, desk: Desk, endpoints: Iterable[Endpoint]) -> None:
        self._root = root
        self._nothing = Resource(desk)
        self._tree = _Node()
        by_path: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            by_path.setdefault(endpoint.path, []).append(endpoint)
        for path, those in by_path.items():
            node = self._tree
            for part in path.split("/")[1:]:
                node = node.grow(part)
            node.resource = Resource(desk, those)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope.get("path", "")
        below = scope["type"] in ("http", "websocket") and (
            path == self._root or path.startswith(f"{self._root}/")
        )
        return (Match.FULL if below else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        resource, values = self._find(scope["path"].removeprefix(self._root))
        await resource({**scope, "path_params": values}, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        raise NoMatchFound(name, path_params)

    def _find(self, path: str) -> tuple[Resource, dict[str, str]]:
        """The resource, and what stands where anything may."""
        node: _Node | None = self._tree
        values: dict[str, str] = {}
        for part in path.split("/")[1:]:
            assert node is not None
            if part in node.named:
                node = node.named[part]
            else:
                values[node.called] = part
                node = node.anything if part else None
            if node is None:
                return self._nothing, {}
        resource = None if node is None else node.resource
        return (self._nothing, {}) if resource is None else (resource, values)
