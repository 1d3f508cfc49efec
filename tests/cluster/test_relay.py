"""News of one room on their way to its mirrors: merged, in order, and to nobody else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monkeytown.cluster.messages import Mail, SentAway
from monkeytown.cluster.relay import AwayHolder, Relay
from monkeytown.room.feed import NOWHERE
from monkeytown.room.mail import News, packed
from monkeytown.runtime.hosted import HostedRoom
from tests.runtime.stage import Clock, make_host


class Courier:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def send(self, to: str, message: Any) -> None:
        self.sent.append((to, message))

    state = send

    def cast(self, channel: str, message: Any) -> None:
        self.sent.append((channel, message))


class Desk:
    """A room with a relay."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.courier = Courier()
        self.hosted: HostedRoom = make_host(self.clock).open_room("dots")
        node = SimpleNamespace(courier=self.courier, now=self.clock.seconds)
        self.relay = Relay(node, self.hosted)  # type: ignore[arg-type]
        self.hosted.audiences.append(self.relay)

    def seat(self, id: str, instance: str) -> AwayHolder:
        """A player who is elsewhere."""
        holder = AwayHolder(self.relay, f"key of {id}", id, id, None, instance)
        self.relay.seat(holder, self.hosted.join(holder))
        return holder

    def got(self) -> dict[tuple[str, int], list[News]]:
        """What arrives, by instance and number."""
        self.relay.send_mail()
        got: dict[tuple[str, int], list[News]] = {}
        for to, message in self.courier.sent:
            if isinstance(message, Mail):
                for news, numbers in message.news:
                    for number in numbers:
                        got.setdefault((to, number), []).append(news)
        return got


@pytest.fixture
def desk() -> Desk:
    return Desk()


def a_news(number: int) -> News:
    return News("game_event", packed({"number": number}))


class TestMail:
    @given(
        st.lists(
            st.tuples(st.lists(st.integers(0, 5), unique=True), st.booleans(), st.integers(0, 2)),
            max_size=40,
        )
    )
    def test_each_gets_theirs_in_order_and_nothing_else(
        self, said: list[tuple[list[int], bool, int]]
    ) -> None:
        desk = Desk()
        where = {number: f"instance {number % 2}" for number in range(6)}
        expected: dict[tuple[str, int], list[News]] = {}
        waiting: dict[int, list[News]] = {number: [] for number in range(6)}

        def hand_over() -> None:
            for number, news in waiting.items():
                if news:
                    desk.relay.mail(where[number], number, news)
                    expected.setdefault((where[number], number), []).extend(news)
            waiting.update({number: [] for number in range(6)})

        for at, (players, settles, sends) in enumerate(said):
            news = a_news(at)
            for number in players:
                waiting[number].append(news)
            if settles:
                hand_over()
            if sends == 2:
                desk.relay.send_mail()
        hand_over()
        got = desk.got()
        assert got.keys() == expected.keys()
        for whom, news in expected.items():
            assert [one is other for one, other in zip(got[whom], news, strict=True)] == [True] * len(news)

    def test_what_all_at_an_instance_get_travels_once(self, desk: Desk) -> None:
        news = a_news(1)
        for number in (1, 2, 3):
            desk.relay.mail("there", number, [news])
        desk.relay.send_mail()
        assert desk.courier.sent == [("there", Mail(desk.relay.room_id, [(news, [1, 2, 3])]))]
        desk.relay.send_mail()
        assert len(desk.courier.sent) == 1

    def test_what_is_sent_before_somebody_is_sent_away_arrives_before(self, desk: Desk) -> None:
        desk.relay.attach("there", NOWHERE)
        holder = desk.seat("ada", "there")
        desk.relay.mail("there", holder.number, [a_news(1)])
        holder.dismiss(4504, "begone")
        kinds = [type(message) for _, message in desk.courier.sent]
        assert kinds[-2:] == [Mail, SentAway]
        assert holder.number not in desk.relay.holders
        assert desk.relay.readers["there"].numbers == set()


class TestHolders:
    def test_news_for_a_player_of_whom_nobody_knows_waits(self, desk: Desk) -> None:
        desk.relay.attach("there", NOWHERE)
        holder = desk.seat("ada", "there")
        member = desk.hosted.room.members["ada"]
        member.take_mail()
        assert desk.relay.detach("there") == [holder]
        member.tell(a_news(1))
        holder.take_mail(member)
        assert [one.type for one in holder.kept] == ["game_event"]
        assert desk.got() == {}

    def test_a_mirror_that_goes_takes_nobody_elsewhere_with_it(self, desk: Desk) -> None:
        for instance in ("there", "yonder"):
            desk.relay.attach(instance, NOWHERE)
        ada, ben = desk.seat("ada", "there"), desk.seat("ben", "yonder")
        assert desk.relay.detach("there") == [ada]
        assert (ada.instance, ben.instance) == ("", "yonder")
        assert desk.relay.detach("there") == []

    def test_only_the_instance_of_a_session_speaks_for_its_player(self, desk: Desk) -> None:
        desk.relay.attach("there", NOWHERE)
        holder = desk.seat("ada", "there")
        assert desk.relay.holder("there", holder.number) is holder
        assert desk.relay.holder("yonder", holder.number) is None
        assert desk.relay.holder("there", holder.number + 1) is None
        desk.relay.detach("there")
        assert desk.relay.holder("yonder", holder.number) is holder

    def test_a_holder_that_was_replaced_does_not_take_the_seat_with_it(self, desk: Desk) -> None:
        desk.relay.attach("there", NOWHERE)
        former = desk.seat("ada", "there")
        later = AwayHolder(desk.relay, "another key", "ada", "ada", None, "there")
        desk.relay.seat(later, desk.hosted.room.members["ada"])
        desk.relay.departed(former)
        assert desk.relay.holders == {later.number: later}
        assert desk.relay.readers["there"].numbers == {later.number}
