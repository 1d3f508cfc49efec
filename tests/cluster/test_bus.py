"""What holds for every bus: within a process, through one Redis, through a cluster of three."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monkeytown.cluster.bus import Bus, Hub
from tests.cluster.ears import Ear

New = Callable[[], Bus]


async def started(new_bus: New, channel: str = "", ear: Ear | None = None) -> Bus:
    bus = new_bus()
    if ear is not None:
        bus.subscribe(channel, ear)
    await bus.start()
    return bus


async def test_what_is_said_is_heard_by_all_who_listen_there_in_order(new_bus: New) -> None:
    ears = Ear(), Ear(), Ear()
    for ear in ears:
        await started(new_bus, "town", ear)
    speaker = await started(new_bus)
    said = [b"%d" % number for number in range(1000)]
    for data in said:
        speaker.publish("town", data)
    for ear in ears:
        await ear.hears(*said)
        assert ear == said
    assert speaker.trouble == ""


async def test_who_speaks_is_heard_by_himself(new_bus: New) -> None:
    ear = Ear()
    bus = await started(new_bus, "town", ear)
    bus.publish("town", b"hello")
    assert ear == []  # never within `publish`
    await ear.hears(b"hello")


async def test_channels_are_apart(new_bus: New) -> None:
    bus = new_bus()
    ears = {f"room{number}": Ear() for number in range(50)}
    for channel, ear in ears.items():
        bus.subscribe(channel, ear)
    await bus.start()
    for channel in ears:
        bus.publish(channel, channel.encode())
    for channel, ear in ears.items():
        await ear.hears(channel.encode())
        assert ear == [channel.encode()]


async def test_one_may_begin_to_listen_at_any_time(new_bus: New) -> None:
    bus, speaker = await started(new_bus), await started(new_bus)
    ear = Ear()
    bus.subscribe("late", ear)
    await reaches(speaker, "late", ear)


async def reaches(speaker: Bus, channel: str, ear: Ear) -> None:
    """A subscription takes effect soon, not at once."""
    async with asyncio.timeout(10):
        while not ear:
            speaker.publish(channel, b"are you there?")
            await asyncio.sleep(0.01)


async def test_who_has_stopped_listening_hears_nothing_more(new_bus: New) -> None:
    quiet, other = Ear(), Ear()
    bus = await started(new_bus, "town", quiet)
    await started(new_bus, "town", other)
    speaker = await started(new_bus)
    bus.unsubscribe("town")
    bus.unsubscribe("a channel that was never listened to")
    speaker.publish("town", b"late")
    await other.hears(b"late")
    assert quiet == []


async def test_who_listens_again_hears_again(new_bus: New) -> None:
    first, second = Ear(), Ear()
    bus = await started(new_bus, "town", first)
    bus.unsubscribe("town")
    bus.subscribe("town", second)
    await reaches(bus, "town", second)
    assert first == []


async def test_a_channel_has_one_receiver_the_newest(new_bus: New) -> None:
    old, new = Ear(), Ear()
    bus = await started(new_bus, "town", old)
    bus.subscribe("town", new)
    bus.publish("town", b"x")
    await new.hears(b"x")
    assert old == []


async def test_a_receiver_that_raises_disturbs_nobody(new_bus: New) -> None:
    ear = Ear()
    bus = await started(new_bus, "town", ear)

    def receive(data: bytes) -> None:
        raise LookupError(data)

    bus.subscribe("broken", receive)
    for _ in range(3):
        bus.publish("broken", b"x")
    bus.publish("town", b"y")
    await ear.hears(b"y")


async def test_a_bus_that_is_not_open_says_and_hears_nothing(new_bus: New) -> None:
    ear, witness = Ear(), Ear()
    await started(new_bus, "town", witness)
    bus = new_bus()
    bus.subscribe("town", ear)
    bus.publish("town", b"before")
    await bus.start()
    bus.publish("town", b"within")
    await ear.hears(b"within")
    await bus.close()
    bus.publish("town", b"after")
    bus.subscribe("town", ear)
    bus.unsubscribe("town")
    await bus.close()
    speaker = await started(new_bus)
    speaker.publish("town", b"last")
    await witness.hears(b"last")
    assert witness == [b"within", b"last"]
    assert ear == [b"within"]


async def test_what_was_published_before_the_end_is_said(new_bus: New) -> None:
    ear = Ear()
    await started(new_bus, "town", ear)
    bus = await started(new_bus)
    said = [b"%d" % number for number in range(500)]
    for data in said:
        bus.publish("town", data)
    await bus.close()
    await ear.hears(*said)


async def test_any_bytes_go_on_channels_of_any_name(new_bus: New) -> None:
    ears = {name: Ear() for name in ("", "{}", "{a}b", "a b\r\n", "ö∂", "*", "x" * 1000)}
    bus = new_bus()
    for name, ear in ears.items():
        bus.subscribe(name, ear)
    await bus.start()
    messages = b"", bytes(range(256)), b"\r\n$5\r\n", bytes(300_000)
    for name in ears:
        for data in messages:
            bus.publish(name, data, may_drop=True)
    for ear in ears.values():
        await ear.hears(*messages)
        assert len(ear) == len(messages)


async def test_hubs_are_apart() -> None:
    ear, other = Ear(), Ear()
    hub = Hub()
    await started(hub.bus, "town", ear)
    await started(Hub().bus, "town", other)
    (await started(hub.bus)).publish("town", b"x")
    await ear.hears(b"x")
    assert other == []
