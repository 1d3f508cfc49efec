"""Couriers on a bus that loses, delays, reorders and doubles what it is given, in virtual time: one seed, one run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random

import msgspec

from monkeytown.cluster.courier import Courier
from monkeytown.cluster.envelope import Refused
from tests.pair import Clock


class Item(msgspec.Struct, array_like=True, tag=1):
    number: int
    content: bytes = b""


class State(msgspec.Struct, array_like=True, tag=2):
    number: int
    content: bytes = b""


Message = Item | State


class OpenEnvelopes:
    """Says who sent something, and believes it: whatever order and however often it comes."""

    def __init__(self, sender: str) -> None:
        self.refused: Counter[str] = Counter()
        self._prefix = sender.encode() + b"\n"
        self._sender = sender

    def seal(self, channel: str, payload: bytes) -> bytes:
        return self._prefix + payload

    def open(self, channel: str, data: bytes) -> tuple[str, bytes]:
        sender, found, payload = data.partition(b"\n")
        if not found or not sender.isalnum():
            raise self._refuse("malformed")
        if sender.decode() == self._sender:
            raise self._refuse("own")
        return sender.decode(), payload

    def _refuse(self, reason: str) -> Refused:
        self.refused[reason] += 1
        return Refused(reason)


class Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def __call__(self) -> None:
        if self._call is not None:
            self._call()

    def cancel(self) -> None:
        self._call = None


class Network:
    """What lies between; the knobs may be turned at any time."""

    def __init__(self, seed: int = 0) -> None:
        self.clock = Clock()
        self.loss = 0.0
        self.doubling = 0.0
        self.delay = 0.0
        """Seconds at most; each parcel has its own, so that they overtake each other."""
        self.cut = False
        self.receivers: dict[str, list[Callable[[bytes], None]]] = {}
        self.carried: list[tuple[str, bytes, bool]] = []
        self._random = Random(seed)

    def publish(self, channel: str, data: bytes, may_drop: bool) -> None:
        self.carried.append((channel, data, may_drop))
        for _ in range(1 + (self._random.random() < self.doubling)):
            if not self.cut and self._random.random() >= self.loss:
                self.clock.at(
                    self.clock.now + self._random.random() * self.delay,
                    lambda: self._arrive(channel, data),
                )

    def _arrive(self, channel: str, data: bytes) -> None:
        for receive in list(self.receivers.get(channel, ())):
            receive(data)


class NetworkBus:
    """One instance's access to it."""

    def __init__(self, network: Network) -> None:
        self.trouble = ""
        self._network = network
        self._mine: dict[str, Callable[[bytes], None]] = {}

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def subscribe(self, channel: str, receive: Callable[[bytes], None]) -> None:
        self._mine[channel] = receive
        self._network.receivers.setdefault(channel, []).append(receive)

    def unsubscribe(self, channel: str) -> None:
        self._network.receivers[channel].remove(self._mine.pop(channel))

    def publish(self, channel: str, data: bytes, *, may_drop: bool = False) -> None:
        self._network.publish(channel, data, may_drop)


class Instance:
    """A courier and what it was told: `("sent", n)`, `("got", n)`, `("state", n)`, `("broken", 0)`, in this order."""

    def __init__(
        self, name: str, network: Network, seed: int = 0, draw: Callable[[int], int] | None = None
    ) -> None:
        self.name = name
        self.story: list[tuple[str, int]] = []
        self.received: list[tuple[str, Message]] = []
        self.on_receive: Callable[[str, Message], None] = lambda peer, message: None
        self.on_broken: Callable[[str], None] = lambda peer: None
        self.bus = NetworkBus(network)
        self._count = 0
        clock = network.clock

        def call_later(seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
            timer = Timer(call)
            clock.at(clock.now + seconds, timer)
            return timer  # type: ignore[return-value]

        self.courier: Courier[Message] = Courier(
            name,
            self.bus,
            OpenEnvelopes(name),  # type: ignore[arg-type]
            Message,
            receive=self._receive,
            broken=self._broken,
            now=lambda: clock.now,
            call_later=call_later,
            call_soon=lambda call: clock.at(clock.now, call),
            draw=draw or Random(f"{name}{seed}").getrandbits,
        )
        run(self.courier.start())

    def send(self, to: str, size: int = 0) -> None:
        self._count += 1
        self.story.append(("sent", self._count))
        self.courier.send(to, Item(self._count, bytes(size)))

    def state(self, to: str) -> None:
        self._count += 1
        self.courier.state(to, State(self._count))

    def told(self, what: str) -> list[int]:
        return [number for kind, number in self.story if kind == what]

    def spans(self, what: str) -> list[list[int]]:
        """Numbers of one kind, apart by the times that a link broke."""
        spans: list[list[int]] = [[]]
        for kind, number in self.story:
            if kind == "broken":
                spans.append([])
            elif kind == what:
                spans[-1].append(number)
        return spans

    def _receive(self, peer: str, message: Message) -> None:
        self.story.append(("got" if isinstance(message, Item) else "state", message.number))
        self.received.append((peer, message))
        self.on_receive(peer, message)

    def _broken(self, peer: str) -> None:
        self.story.append(("broken", 0))
        self.on_broken(peer)


def run(coroutine: object) -> None:
    """Runs what awaits nothing."""
    try:
        coroutine.send(None)  # type: ignore[attr-defined]
    except StopIteration:
        return
    raise AssertionError("it waits for something")
