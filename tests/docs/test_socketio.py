"""docs/reference/socketio.md names what can be said."""

from __future__ import annotations

import re

from monkeytown.protocol.messages import FROM_CLIENT, FROM_SERVER
from tests.docs.pages import ROOT, table

PAGE = ROOT / "docs/reference/socketio.md"


def test_every_event_of_a_client_is_there() -> None:
    named = {event.strip("`") for event, _ in table(PAGE, "event")}
    assert named == FROM_CLIENT.keys() - {"numbered", "poll"} | {"request_state"}


def test_every_event_of_the_server_is_there() -> None:
    text = PAGE.read_text().split("## From the server")[1].split("## ")[0]
    named = set(re.findall(r"`(\w+)`", text))
    assert FROM_SERVER.keys() - {"schema"} | {"game_state", "private"} <= named
