"""A player as the room keeps it: beside the rules' `Player`, the news that it must not miss, what is private
to it, and what it sees.
"""

from __future__ import annotations

from monkeytown._core.batch import Seat
from monkeytown._core.sight import Sight
from monkeytown._core.state import Row
from monkeytown.player import Player
from monkeytown.room.documents import Document
from monkeytown.room.mail import News, packed
from monkeytown.room.view import EVERYTHING, View

__all__ = ["Member"]


class Member(Seat):
    """One seat in a room. Compared by identity; `number` is that of its player.

    `input` is the number of the newest input that the rules have seen, 0 before the first.
    """

    __slots__ = ("_introduction", "_mail", "document", "entity_tick", "player", "sight")

    def __init__(self, player: Player, sight: Sight | None = None) -> None:
        super().__init__(player.number)
        self.player = player
        self._mail: list[News] | None = None  # most players have nothing waiting
        self.entity_tick = 0
        """The tick since which `player.entity` is what it is."""
        self.sight = sight
        """What is around it, in a room that is seen by area."""
        self.document: Document | None = None
        """What is kept of it; None if nothing is."""
        self._introduction: tuple[str, News] | None = None

    @property
    def id(self) -> str:
        return self.player.id

    @property
    def introduction(self) -> News:
        """The `player_joined` that tells others of it, packed once for all of them."""
        name = self.player.name
        if self._introduction is None or self._introduction[0] is not name:
            news = News("player_joined", packed({"id": self.id, "name": name}))
            self._introduction = name, news
        return self._introduction[1]

    def tell(self, news: News) -> None:
        """Something for it to read."""
        if self._mail is None:
            self._mail = []
        self._mail.append(news)

    def take_mail(self) -> list[News]:
        """What it was told since this was last called, oldest first."""
        mail, self._mail = self._mail, None
        return mail or []

    @property
    def view(self) -> View | Sight:
        """What it reads the room with."""
        return EVERYTHING if self.sight is None or self.player.view is not None else self.sight

    @property
    def delay(self) -> float:
        """Seconds that what it sees is old."""
        view = self.player.view
        return 0.0 if view is None else view.delay

    def look(self) -> None:
        """Its player's focus or entity may be another now."""
        focus, sight = self.player.focus, self.sight
        if focus is None:
            focus = self.player.entity
        if focus is None or isinstance(focus, Row):
            if sight is not None:
                sight.follow(focus)
            return
        if not isinstance(focus, tuple | list) or len(focus) != 2:
            raise TypeError(f"player.focus is a row, a place (x, y) or None, not {focus!r}")
        if sight is not None:
            sight.look_at(*focus)

    def __repr__(self) -> str:
        return f"<Member {self.number} {self.player.name!r}>"
