"""What a room notes in its ledger about its players: who came and left, what they said, what their documents became.

Knows the ledger and what may go wrong in writing to it, which is the rules' fault; does not know where entries go.
"""

from __future__ import annotations

from monkeytown.errors import Refusal
from monkeytown.room.closing import Closing
from monkeytown.room.documents import Document
from monkeytown.room.ledger import Kind
from monkeytown.room.member import Member
from monkeytown.room.rules import Rules
from monkeytown.room.stage import RoomStage

__all__ = ["Keeping"]


class Keeping:
    """Of one room."""

    def __init__(self, stage: RoomStage, rules: Rules) -> None:
        self.ledger = stage.ledger
        """For its host to take from."""
        self._stage = stage
        self._rules = rules
        self._before = 0

    def begin(self, member: Member, *, guest: bool, data: bytes | None) -> None:
        """A player is about to join. `data` is the document that was kept; None if none is to be."""
        self._before = self.ledger.last
        member.player.guest = guest
        if data is not None:
            member.document = Document(member.player, data)
        self.ledger.note(Kind.JOINED, member.id, name=member.player.name, guest=guest)

    def undo(self) -> None:
        """The rules turned them away: nothing has happened."""
        self.ledger.undo(self._before)

    def left(self, member: Member) -> None:
        self._rules.chat.leave(member.id)
        self.document(member)
        self.ledger.note(Kind.LEFT, member.id)

    def document(self, member: Member) -> None:
        """Notes what the rules have changed in a player's document."""
        if member.document is None or self._rules.failed is not None:
            return
        try:
            changed = member.document.changed()
        except (TypeError, ValueError) as error:
            self._rules.fail("player.data", type(self._rules.game), error)
            return
        if changed is not None:
            self.ledger.add(Kind.DATA, member.id, changed)

    def documents(self) -> None:
        """The same of everybody who is here; to be called now and then."""
        for member in self._stage.members.values():
            self.document(member)

    def all_left(self) -> None:
        """The room is put away: whoever was here comes anew, if they come."""
        for member in self._stage.members.values():
            self.left(member)

    def closed(self, closing: Closing) -> None:
        self.documents()
        self.ledger.note(Kind.CLOSED, reason=closing.reason, failed=closing.error is not None)

    def remind(self, member: Member) -> None:
        """A player gets to read what was said last."""
        self._stage.remind(member, self._rules.chat.lines)

    def say(self, member: Member, text: str) -> None:
        """A player says something to all, as far as the rules let it through."""
        try:
            self._rules.chat.admit(member.id)
            said = self._rules.call("on_chat", member.player, text)
            if said:
                line = {"playerId": member.id, "name": member.player.name, "text": str(said)}
                self._stage.broadcast("chat", line)
                self.ledger.note(Kind.CHAT, member.id, name=line["name"], text=line["text"])
                self._rules.chat.add(line)
        except Refusal as refusal:
            self._stage.refuse(member, refusal)
        except ValueError as error:  # the rules made something of the text that cannot be sent
            self._rules.fail("on_chat", self._rules.game.on_chat, error)
