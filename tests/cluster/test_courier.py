from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from monkeytown.cluster.courier import MAX_PAST, Courier, channel_of
from monkeytown.cluster.link import FORGOTTEN_AFTER, LOST_AFTER, MAX_BYTES, MAX_ITEMS, Link
from monkeytown.cluster.parcel import BadParcel, Packing
from tests.cluster.network import Instance, Item, Message, Network, OpenEnvelopes, State, run

PACKING = Packing(Message)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def a(network: Network) -> Instance:
    return Instance("a", network)


@pytest.fixture
def b(network: Network) -> Instance:
    return Instance("b", network)


def parcels_to(network: Network, name: str) -> list[bytes]:
    return [data for channel, data, _ in network.carried if channel == channel_of(name)]


def link_of(instance: Instance, peer: str) -> Link:
    return instance.courier._links[peer]


def snapshot(instance: Instance) -> list[object]:
    """All that a courier knows of its links."""
    return [
        (peer, [repr(getattr(link, slot)) for slot in Link.__slots__])
        for peer, link in instance.courier._links.items()
    ] + [instance.courier._past, list(instance.received)]


# One wake-up, one parcel.


def test_what_is_sent_within_one_wake_up_is_one_parcel(network: Network, a: Instance, b: Instance):
    for _ in range(10):
        a.send("b")
        a.state("b")
    assert network.carried == []
    network.clock.advance(0.01)
    assert len(parcels_to(network, "b")) == 1
    assert a.courier.parcels_sent == 1
    assert a.courier.items_sent == 10
    assert a.courier.bytes_sent == len(network.carried[0][1])
    assert [type(message) for _, message in b.received] == [Item] * 10 + [State] * 10
    assert b.courier.parcels_received == 1


def test_flush_sends_at_once_and_nothing_follows(network: Network, a: Instance, b: Instance):
    a.send("b")
    a.courier.flush()
    assert len(network.carried) == 1
    a.courier.flush()
    network.clock.advance(0.01)
    assert len(network.carried) == 1


def test_what_is_sent_after_a_flush_goes_by_itself(network: Network, a: Instance, b: Instance):
    a.send("b")
    a.courier.flush()
    a.send("b")
    network.clock.advance(0.01)
    assert b.told("got") == [1, 2]


def test_an_ack_follows_soon_and_alone(network: Network, a: Instance, b: Instance):
    a.send("b")
    network.clock.advance(0.01)
    assert link_of(a, "b").under_way == 1
    network.clock.advance(0.1)
    assert link_of(a, "b").under_way == 0
    assert len(parcels_to(network, "a")) == 1


def test_peers_hear_of_each_other_twice_a_second(network: Network, a: Instance, b: Instance):
    assert a.courier.heard("b") is None
    a.send("b")
    network.clock.advance(10.25)
    for one, other in ((a, "b"), (b, "a")):
        heard = one.courier.heard(other)
        assert heard is not None
        assert network.clock.now - heard <= 0.5
    assert len(network.carried) <= 50
    assert (a.story, b.story) == ([("sent", 1)], [("got", 1)])


def test_a_message_that_is_lost_comes_after_a_quarter_of_a_second(network: Network, a: Instance, b: Instance):
    network.cut = True
    a.send("b")
    network.clock.advance(0.01)
    network.cut = False
    network.clock.advance(0.2)
    assert b.received == []
    network.clock.advance(0.12)
    assert b.told("got") == [1]
    assert a.courier.resent == 1


def test_what_is_sent_again_takes_its_time_while_nobody_answers(network: Network, a: Instance, b: Instance):
    network.cut = True
    a.bus.trouble = "no connection"
    a.send("b")
    network.clock.advance(10)
    assert 9 <= a.courier.resent <= 12
    assert all(may_drop for _, _, may_drop in network.carried)


def test_only_what_may_be_lost_may_be_dropped_by_the_bus(network: Network, a: Instance, b: Instance):
    a.send("b")
    a.courier.flush()
    a.state("b")
    a.courier.flush()
    a.courier.cast("all", State(1))
    a.courier.flush()
    assert [may_drop for _, _, may_drop in network.carried] == [False, True, True]


def test_much_is_split_and_arrives_in_order(network: Network, a: Instance, b: Instance):
    for size in (600_000, 600_000, 10, 2_000_000, 10):
        a.send("b", size)
    a.state("b")
    network.clock.advance(0.2)
    assert b.told("got") == [1, 2, 3, 4, 5]
    assert b.told("state") == [6]
    assert all(len(data) < 2_000_100 for data in parcels_to(network, "b"))
    assert len(parcels_to(network, "b")) == 5


def test_a_message_may_be_as_large_as_a_checkpoint_but_no_larger(network: Network, a: Instance, b: Instance):
    a.send("b", 32 * 1024 * 1024 - 100)
    with pytest.raises(ValueError, match="too large"):
        a.send("b", 32 * 1024 * 1024)
    network.clock.advance(0.1)
    assert b.told("got") == [1]
    assert a.courier.resent == 0


def test_nobody_writes_to_themselves(a: Instance):
    with pytest.raises(ValueError, match="itself"):
        a.send("a")


# Who listens.


def test_a_cast_reaches_all_who_listen_but_its_sender(network: Network, a: Instance, b: Instance):
    c = Instance("c", network)
    for instance in (a, b):
        instance.courier.listen("all")
    a.courier.cast("all", State(1))
    a.courier.cast("all", State(2))
    network.clock.advance(0.01)
    assert [len(instance.received) for instance in (a, b, c)] == [0, 2, 0]
    assert len(network.carried) == 1
    b.courier.unlisten("all")
    a.courier.cast("all", State(3))
    network.clock.advance(0.01)
    assert b.received == [("a", State(1)), ("a", State(2))]


def test_who_casts_is_heard_but_opens_no_link(network: Network, a: Instance, b: Instance):
    b.courier.listen("all")
    a.courier.cast("all", State(1))
    network.clock.advance(0.01)
    assert b.courier.heard("a") is None
    b.send("a")
    network.clock.advance(0.2)
    network.clock.advance(0.1)
    a.courier.cast("all", State(2))
    network.clock.advance(0.01)
    assert b.courier.heard("a") == pytest.approx(network.clock.now, abs=0.02)


def test_who_is_closed_sends_the_rest_and_then_nothing(network: Network, a: Instance, b: Instance):
    a.send("b")
    run(a.courier.close())
    network.clock.advance(0.01)
    assert b.told("got") == [1]
    carried = len(parcels_to(network, "b"))
    a.send("b")
    a.courier.cast("all", State(1))
    run(a.courier.close())
    network.clock.advance(5)
    assert len(parcels_to(network, "b")) == carried


# What receivers do wrong.


def test_a_message_that_fails_is_logged_and_the_next_ones_come(network: Network, a: Instance, b: Instance):
    def fail(peer: str, message: Message) -> None:
        raise RuntimeError("from above")

    b.on_receive = fail
    a.send("b")
    a.send("b")
    a.state("b")
    with capture_logs() as logs:
        network.clock.advance(1)
    assert len(b.received) == 3
    assert [line["event"] for line in logs] == ["a message from another instance failed"] * 3
    assert a.courier.resent == 0


def test_a_broken_that_fails_is_logged(network: Network, a: Instance, b: Instance):
    def fail(peer: str) -> None:
        raise RuntimeError("from above")

    a.on_broken = fail
    a.send("b")
    with capture_logs() as logs:
        a.courier.drop("b")
    assert [line["event"] for line in logs] == ["a broken link could not be seen to"]


def test_who_drops_the_peer_while_receiving_gets_nothing_more(network: Network, a: Instance, b: Instance):
    b.on_receive = lambda peer, message: b.courier.drop(peer)
    for _ in range(3):
        a.send("b")
    a.state("b")
    network.clock.advance(0.01)
    assert b.story == [("got", 1), ("broken", 0)]
    assert b.courier.heard("a") is None


# Links that break.


def test_who_is_dropped_and_lives_is_told(network: Network, a: Instance, b: Instance):
    a.send("b")
    b.send("a")
    network.clock.advance(0.2)
    a.courier.drop("b")
    assert a.told("broken") == [0]
    network.clock.advance(1)
    assert (a.told("broken"), b.told("broken")) == ([0], [0])
    a.send("b")
    b.send("a")
    network.clock.advance(1)
    assert (a.spans("got"), b.spans("got")) == ([[1], [2]], [[1], [2]])


def test_who_is_dropped_and_gone_is_forgotten(network: Network, a: Instance, b: Instance):
    a.send("b")
    network.clock.advance(0.2)
    run(b.courier.close())
    a.courier.drop("b")
    a.courier.drop("b")
    carried = len(network.carried)
    network.clock.advance(30)
    assert a.told("broken") == [0]
    assert len(network.carried) == carried
    for number in range(2 * MAX_PAST):
        a.send(f"c{number}")
        a.courier.drop(f"c{number}")
    assert len(a.courier._past) == MAX_PAST


def test_a_late_parcel_of_who_is_gone_breaks_nothing(network: Network, a: Instance, b: Instance):
    b.send("a")
    network.clock.advance(0.2)
    run(b.courier.close())
    a.courier.drop("b")
    story = list(a.story)
    late = parcels_to(network, "a")[0]
    network.publish(channel_of("a"), late, False)
    network.clock.advance(2 * LOST_AFTER)
    assert a.story == story
    assert a.courier._links == {}


def test_a_peer_that_is_silent_while_something_waits_is_lost(network: Network, a: Instance, b: Instance):
    a.send("b")
    network.clock.advance(1)
    network.cut = True
    a.send("b")
    network.clock.advance(LOST_AFTER - 1)
    assert a.told("broken") == []
    network.clock.advance(1.5)
    assert a.told("broken") == [0]
    assert a.courier.heard("b") is None
    network.cut = False
    network.clock.advance(1)
    assert b.told("broken") == [0]
    a.send("b")
    network.clock.advance(1)
    assert b.spans("got") == [[1], [3]]


def test_a_peer_that_is_silent_and_owes_nothing_has_more_time(network: Network, a: Instance, b: Instance):
    a.send("b")
    network.clock.advance(1)
    network.cut = True
    network.clock.advance(FORGOTTEN_AFTER - 2)
    network.cut = False
    network.clock.advance(1)
    assert (a.told("broken"), b.told("broken")) == ([], [])
    network.cut = True
    network.clock.advance(FORGOTTEN_AFTER + 1)
    assert (a.told("broken"), b.told("broken")) == ([0], [0])
    assert a.courier._links == b.courier._links == {}


@pytest.mark.parametrize(("size", "most"), [(0, MAX_ITEMS), (10_000, MAX_BYTES // 10_000)])
def test_what_waits_for_a_peer_is_bounded(network: Network, a: Instance, b: Instance, size: int, most: int):
    a.send("b")
    network.clock.advance(0.2)
    network.cut = True
    for _ in range(most):
        a.send("b", size)
        if a._count % 1000 == 0:
            a.courier.flush()
    link = link_of(a, "b")
    assert 0 < link.weight <= MAX_BYTES
    assert not link.full
    for _ in range(most):
        a.send("b", size)
    assert link.weight == link.waiting == link.under_way == 0
    network.clock.advance(0.01)
    assert a.told("broken") == [0]
    network.cut = False
    a.send("b")
    network.clock.advance(1)
    assert b.told("broken") == [0]
    assert b.spans("got") == [[1], [a._count]]
    assert (a.courier.broken_links, b.courier.broken_links) == (1, 1)


@pytest.mark.parametrize("bits", [4, 6, None], ids=["lower", "higher", "silent"])
def test_one_that_began_again_under_its_name_is_another(network: Network, b: Instance, bits: int | None):
    first = Instance("a", network, draw=lambda count: 5)
    first.send("b")
    network.clock.advance(0.2)
    b.send("a")
    network.clock.advance(0.2)
    assert (first.told("got"), b.told("got")) == ([1], [1])
    network.receivers.pop(channel_of("a"))
    first.bus._network = Network()
    second = Instance("a", network, draw=lambda count: bits or 5)
    b.send("a")
    if bits is not None:
        second.send("b")
    network.clock.advance(1)
    assert b.told("broken") == [0], "what was sent to the first one is lost"
    assert second.told("got") == []
    second.send("b")
    b.send("a")
    network.clock.advance(1)
    assert second.told("got") == [3]
    assert b.spans("got")[-1] == second.spans("sent")[-1] != []


@pytest.mark.parametrize("speaks", [False, True])
def test_one_that_began_again_and_had_only_listened_is_another(network: Network, b: Instance, speaks: bool):
    first = Instance("a", network, draw=lambda count: 5)
    b.send("a")
    network.clock.advance(1)
    assert first.told("got") == [1]
    network.receivers.pop(channel_of("a"))
    first.bus._network = Network()
    second = Instance("a", network, draw=lambda count: 0)
    if speaks:
        second.send("b")
    network.clock.advance(1)
    assert b.told("broken") == [0]
    b.send("a")
    network.clock.advance(1)
    assert second.told("got") == [2]


def test_an_ack_of_what_was_never_sent_breaks_the_link(network: Network, a: Instance, b: Instance):
    a.send("b")
    b.send("a")
    network.clock.advance(1)
    link = link_of(a, "b")
    parcel = PACKING.parcel(link.id, 1000, 2, 7, [], [])
    network.publish(channel_of("a"), b"b\n" + parcel, False)
    network.clock.advance(1)
    assert (a.told("broken"), b.told("broken")) == ([0], [0])


def test_what_both_send_first_at_the_same_time_arrives(network: Network, a: Instance, b: Instance):
    network.delay = 0.1
    for instance, peer in ((a, "b"), (b, "a")):
        instance.send(peer)
        instance.courier.flush()
        instance.send(peer)
    network.clock.advance(2)
    assert (a.spans("got"), b.spans("got")) == ([[1, 2]], [[1, 2]])


# Whatever happens.

SIDES = st.sampled_from([0, 1])
STEP = st.one_of(
    st.tuples(st.just("send"), SIDES, st.integers(1, 5)),
    st.tuples(st.just("state"), SIDES, st.integers(1, 3)),
    st.tuples(st.just("flush"), SIDES, st.just(0)),
    st.tuples(st.just("wait"), st.just(0), st.floats(0.001, 2.0)),
    st.tuples(st.just("cut"), st.just(0), st.floats(0.1, 20.0)),
    st.tuples(st.just("drop"), SIDES, st.just(0)),
    st.tuples(st.just("much"), SIDES, st.integers(3, 6)),
)


def act(network: Network, instances: tuple[Instance, Instance], step: tuple[str, int, float]) -> None:
    kind, side, amount = step
    instance, peer = instances[side], instances[1 - side]
    match kind:
        case "send":
            for _ in range(int(amount)):
                instance.send(peer.name)
        case "state":
            for _ in range(int(amount)):
                instance.state(peer.name)
        case "flush":
            instance.courier.flush()
        case "wait":
            network.clock.advance(amount)
        case "cut":
            network.cut = True
            network.clock.advance(amount)
            network.cut = False
        case "drop":
            instance.courier.drop(peer.name)
        case _:
            for _ in range(int(amount)):
                instance.send(peer.name, 1_000_000)


def assert_in_order_and_once(sender: Instance, receiver: Instance) -> None:
    """Between two breaks that the receiver was told of, it got the beginning of what was sent between two of the sender's."""
    at = 0
    sent = sender.spans("sent")
    for got in filter(None, receiver.spans("got")):
        while at < len(sent) and sent[at][: len(got)] != got:
            at += 1
        assert at < len(sent), f"{got} was not sent like that, or came twice: {sent}"
        at += 1
    states = receiver.told("state")
    assert states == sorted(set(states))


@settings(max_examples=400, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.5]),
    doubling=st.sampled_from([0.0, 0.3]),
    delay=st.sampled_from([0.0, 0.05, 1.0]),
    steps=st.lists(STEP, max_size=30),
)
def test_messages_come_in_order_and_once_and_breaks_are_told(
    seed: int, loss: float, doubling: float, delay: float, steps: list[tuple[str, int, float]]
):
    network = Network(seed)
    network.loss, network.doubling, network.delay = loss, doubling, delay
    instances = (Instance("a", network, seed), Instance("b", network, seed))
    for step in steps:
        act(network, instances, step)
        for instance in instances:
            assert all(link.weight <= MAX_BYTES for link in instance.courier._links.values())
    network.loss = network.doubling = network.delay = 0.0
    network.clock.advance(20)
    for side in (0, 1):
        act(network, instances, ("send", side, 1))
    network.clock.advance(5)
    for sender, receiver in (instances, instances[::-1]):
        assert_in_order_and_once(sender, receiver)
        assert receiver.spans("got")[-1] == sender.spans("sent")[-1], "the last ones came, all of them"
        assert all(
            link.weight == link.under_way == link.waiting == 0 for link in sender.courier._links.values()
        )
    if not any(step[0] in ("cut", "drop", "much") for step in steps) and loss < 0.5:
        assert [instance.told("broken") for instance in instances] == [[], []]


# What is no parcel.


def mutants(random: Random, count: int) -> list[bytes]:
    """Random bytes, and parcels in which something is not as it was."""
    messages = [PACKING.message(Item(1, b"content")), PACKING.message(State(2, bytes(20)))]
    parcels = [
        PACKING.parcel(1 << 32, 1, 1, -1, messages, messages[1:]),
        PACKING.parcel(7 << 32, 9, 3, 2, messages, []),
    ]
    made: list[bytes] = []
    for _ in range(count):
        data = bytearray(random.choice(parcels))
        match random.randrange(4):
            case 0:
                data = bytearray(random.randbytes(random.randrange(60)))
            case 1:
                del data[random.randrange(len(data)) :]
            case 2:
                data[random.randrange(len(data))] = random.randrange(256)
            case _:
                at = random.randrange(len(data))
                data[at : at + random.randrange(4)] = random.randbytes(random.randrange(6))
        made.append(bytes(data))
    return made


def is_bad(data: bytes) -> bool:
    try:
        PACKING.open(data)
    except BadParcel:
        return True
    return False


def test_garbage_is_counted_and_changes_nothing(network: Network, a: Instance, b: Instance):
    a.send("b")
    b.send("a")
    network.clock.advance(0.2)
    (receive,) = network.receivers[channel_of("a")]
    before = snapshot(a)
    received = a.courier.parcels_received
    bad = [data for data in mutants(Random(1), 100_000) if is_bad(data)]
    assert len(bad) > 50_000
    with capture_logs() as logs:
        for data in bad:
            receive(b"b\n" + data)
        receive(b"no sender")
        receive(bytes(33 * 1024 * 1024) + b"\n")
        receive(b"b\n" + bytes(33 * 1024 * 1024))
    assert snapshot(a) == before
    assert a.courier.parcels_received == received
    assert a.courier.refused == {"parcel": len(bad), "malformed": 2, "large": 1}
    assert len(logs) == 1
    assert logs[0]["reason"] == "parcel"


def test_mutated_parcels_never_raise_and_touch_no_other_link(network: Network, a: Instance, b: Instance):
    a.send("b")
    network.clock.advance(0.2)
    link, before = link_of(a, "b"), link_of(a, "b").id
    (receive,) = network.receivers[channel_of("a")]
    received = a.courier.parcels_received
    for data in mutants(Random(2), 100_000):
        receive(b"x\n" + data)
    assert a.courier.parcels_received - received + a.courier.refused["parcel"] == 100_000
    assert set(a.courier._links) <= {"b", "x"}
    a.send("b")
    network.clock.advance(0.2)
    assert b.told("got") == [1, 2]
    assert link_of(a, "b") is link
    assert link.id == before


def test_garbage_on_a_channel_is_counted(network: Network, a: Instance):
    a.courier.listen("all")
    network.publish("all", b"b\n\xc1", False)
    network.publish("all", b"", False)
    network.publish("all", b"b\n\x91\x92\x09\x01", False)
    network.clock.advance(0.01)
    assert a.courier.refused == {"bundle": 1, "malformed": 1, "message": 1}
    assert a.received == []


def test_a_message_of_a_newer_instance_is_passed_over_and_the_rest_arrives(network: Network, a: Instance):
    good = [PACKING.message(Item(number)) for number in (1, 2)]
    unknown = PACKING.message(["of", "tomorrow"])
    parcel = PACKING.parcel(1 << 32, 1, 1, -1, [good[0], unknown, good[1]], [unknown])
    network.publish(channel_of("a"), b"b\n" + parcel, False)
    network.clock.advance(0.2)
    assert a.told("got") == [1, 2]
    assert a.courier.refused == {"message": 2}
    answer = PACKING.open(parcels_to(network, "b")[0].partition(b"\n")[2])
    assert answer.ack == 3


def test_what_is_refused_is_said_once_a_minute(network: Network, a: Instance):
    with capture_logs() as logs:
        for _ in range(121):
            network.publish(channel_of("a"), b"b\n\xc1", False)
            network.clock.advance(1)
    assert [line["so_far"] for line in logs] == [{"parcel": 1}, {"parcel": 61}, {"parcel": 121}]


# In time.


class LoopBus:
    """Within one event loop."""

    def __init__(self, receivers: dict[str, Callable[[bytes], None]]) -> None:
        self.trouble = ""
        self._receivers = receivers

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def subscribe(self, channel: str, receive: Callable[[bytes], None]) -> None:
        self._receivers[channel] = receive

    def unsubscribe(self, channel: str) -> None:
        del self._receivers[channel]

    def publish(self, channel: str, data: bytes, *, may_drop: bool = False) -> None:
        receive = self._receivers.get(channel)
        if receive is not None:
            asyncio.get_running_loop().call_soon(receive, data)


async def test_two_talk_within_a_real_loop():
    receivers: dict[str, Callable[[bytes], None]] = {}
    got: dict[str, list[int]] = {"a": [], "b": []}
    broken: list[str] = []
    done = asyncio.Event()
    couriers: dict[str, Courier[Message]] = {}

    def receiver(name: str) -> Callable[[str, Message], None]:
        def receive(peer: str, message: Message) -> None:
            got[name].append(message.number)
            if name == "b":
                couriers["b"].send(peer, message)
            elif message.number == 999:
                done.set()

        return receive

    for name in ("a", "b"):
        envelopes = OpenEnvelopes(name)
        couriers[name] = Courier(
            name,
            LoopBus(receivers),
            envelopes,  # type: ignore[arg-type]
            Message,
            receive=receiver(name),
            broken=broken.append,
        )
        await couriers[name].start()
    for number in range(1000):
        couriers["a"].send("b", Item(number))
        if number % 10 == 9:
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await done.wait()
    assert got == {"a": list(range(1000)), "b": list(range(1000))}
    assert couriers["a"].parcels_sent < 200, "ten messages each, and a few more if this machine is slow"
    assert couriers["b"].parcels_sent < 200
    await asyncio.sleep(0.6)
    heard = couriers["a"].heard("b")
    assert heard is not None
    assert asyncio.get_running_loop().time() - heard < 2
    for courier in couriers.values():
        await courier.close()
    assert (broken, receivers) == ([], {})
