"""The document says what the server does: all of it, and nothing else. Held to it by schemathesis, over real sockets.

`MONKEYTOWN_API_EXAMPLES` is how many examples there are of each endpoint (`make api-check`); by default they are the same
ones each time.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import AuthContext, Case
from schemathesis.checks import load_all_checks

from monkeytown.errors import ERROR_CODES
from monkeytown.readers.handshake import Origins
from monkeytown.runtime.limits import Limits
from monkeytown.server.app import RunningServer
from monkeytown.server.auth import Auth
from monkeytown.server.rest.app import ROOT, Rest
from monkeytown.server.tokens import Tokens
from tests.runtime.stage import Clock, make_host
from tests.server.rest.beside import SECRET, beside
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


REAL = {"game": "duel", "room": "room-1", "player": "p1", "replay": "replay-1"}


def give_real_names(case: Case) -> None:
    """Names that only fit are mostly nobody's: half of them become those of something that is there."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for values in (case.path_parameters, case.query, case.body):
        if isinstance(values, dict):
            for name in REAL.keys() & values.keys():
                if isinstance(values[name], str) and len(values[name]) % 2:
                    values[name] = REAL[name]


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=MANY is None, suppress_health_check=list(HealthCheck)
)
def test_the_server_does_what_the_document_says(case: Case, served: RunningServer) -> None:
    give_real_names(case)
    response = case.call_and_validate(base_url=served.url + ROOT)
    answered[case.operation.label].add(response.status_code)


answered: defaultdict[str, set[int]] = defaultdict(set)


def test_the_server_gives_this_document(served: RunningServer) -> None:
    answer = httpx.get(f"{served.url}{ROOT}/openapi.json")
    assert answer.json() == DOCUMENT


def test_each_endpoint_was_met_on_its_good_side() -> None:
    """Runs after all those above: a document that is only ever refused says little."""
    granted = {label for label, statuses in answered.items() if any(status < 300 for status in statuses)}
    assert answered.keys() - granted == set()


class TestWhatItSays:
    def test_every_endpoint_with_all_that_may_be_answered(self) -> None:
        for path, operations in DOCUMENT["paths"].items():
            for method, operation in operations.items():
                statuses = set(operation["responses"])
                assert {"401", "403", "429", "500"} <= statuses, (method, path)
                assert ("304" in statuses) == (method == "get")
                assert operation["summary"]
        names = [operation["operationId"] for _, operation in _operations()]
        assert len(names) == len(set(names)) == 25

    def test_its_error_codes_are_those_that_there_are(self) -> None:
        told = set()
        for _, operation in _operations():
            for status, response in operation["responses"].items():
                if status >= "400":
                    told |= set(re.findall(r"[A-Z]+-\d{3}", response["description"]))
        assert told <= ERROR_CODES.keys()
        # What is done elsewhere than where the document says is 405.
        assert {code for code in ERROR_CODES if code.startswith("REST")} - told == {"REST-004"}

    def test_no_token_stands_in_an_address(self) -> None:
        for _, operation in _operations():
            for parameter in operation["parameters"]:
                assert "token" not in parameter["name"].lower()

    def test_patterns_are_those_of_json_schema(self) -> None:
        assert "(?!" not in json.dumps(DOCUMENT)


def _operations() -> list[tuple[str, dict[str, Any]]]:
    return [(path, operation) for path, those in DOCUMENT["paths"].items() for operation in those.values()]
