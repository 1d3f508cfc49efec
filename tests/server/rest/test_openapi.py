"""The document says what the server does: all of it, and nothing else. Held to it by schemathesis, over real sockets.

`MONKEYTOWN_API_EXAMPLES` is how many examples there are of each endpoint (`make api-check`); by default they are the same ones
each time.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import AuthContext, Case
from schemathesis.checks import CHECKS, load_all_checks

from monkeytown.errors import ERROR_CODES
from monkeytown.readers.handshake import Origins
from monkeytown.runtime.limits import Limits
from monkeytown.server.app import RunningServer
from monkeytown.server.auth import Auth
from monkeytown.server.rest.answers import cursor
from monkeytown.server.rest.app import ROOT, Rest
from monkeytown.server.tokens import Tokens
from tests.server.rest.beside import SECRET, beside
from tests.runtime.stage import Clock, make_host
from tests.server.rest.stage import ADMIN, Crowd, Duel

MANY = os.environ.get("MONKEYTOWN_API_EXAMPLES")
EXAMPLES = int(MANY or 20)

load_all_checks()


def described() -> dict[str, Any]:
    """The document of a server that has all there is."""
    clock = Clock()
    rest = Rest(
        make_host(clock, Duel, Crowd),
        Auth(Tokens(["unused"]), guests=True),
        None,
        Limits(),
        origins=Origins([], loopback=True),
        free_loopback=True,
        admin_token=ADMIN,
    )
    return rest.document


DOCUMENT = described()
schema = schemathesis.openapi.from_dict(DOCUMENT)
# A cursor is of one list, which the document cannot say: any other is 422.
schema.config.checks.positive_data_acceptance.expected_statuses += ["422"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with beside(tmp_path_factory.mktemp("data")) as server:
        yield server


@schema.auth(refresh_interval=None)
class Players:
    """One of its own for each request: some of them log out, or are erased."""

    def get(self, case: Case, context: AuthContext) -> str:
        schemes = {name for one in context.operation.definition.raw["security"] for name in one}
        if "admin" in schemes:
            return ADMIN
        player = f"player-{secrets.token_hex(8)}"
        return Tokens([SECRET]).issue(player, None, guest=True, seconds=86400)[0]

    def set(self, case: Case, data: str, context: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=MANY is None, suppress_health_check=list(HealthCheck))
def test_the_server_does_what_the_document_says(case: Case, served: RunningServer) -> None:
    case.call_and_validate(base_url=served.url + ROOT)


def test_the_server_gives_this_document(served: RunningServer) -> None:
    answer = httpx.get(f"{served.url}{ROOT}/openapi.json")
    assert answer.json() == DOCUMENT
