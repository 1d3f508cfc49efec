"""Every limit of the front, in one place, and the bucket that rates are counted with.

Knows numbers only. `monkeytown.server.settings` lets each be set by a MONKEYTOWN_* variable of the same name.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

__all__ = ["Limits", "TokenBucket"]


class Limits(BaseModel):
    """What one connection, one address and one player may take."""

    message_bytes: int = Field(
        default=4096, ge=125, le=1 << 24, description="Bytes of one message of a client, at most."
    )
    input_bytes: int = Field(
        default=64, ge=8, le=4096, description="Bytes of one packed player_input, at most."
    )
    fragments: int = Field(
        default=64, ge=1, description="Fragments of one message, empty ones included, at most."
    )
    pings_per_second: float = Field(
        default=20, gt=0, description="Control frames a second that a client may send."
    )
    messages_per_second: float = Field(
        default=256, gt=0, description="Messages a second other than packed inputs; a burst of twice as many."
    )
    inputs_per_tick: float = Field(
        default=2, gt=0, description="Inputs per tick of the game; a burst of one second's worth."
    )
    actions_per_second: float = Field(
        default=20, gt=0, description="Inputs a second in games without ticks; a burst of one second's worth."
    )
    chat_per_second: float = Field(default=1, gt=0, description="Chat messages a second of one player.")
    chat_burst: int = Field(default=5, ge=1, description="Chat messages that may come at once.")
    chat_characters: int = Field(default=256, ge=1, description="Characters of one chat message, at most.")
    handshake_seconds: float = Field(
        default=10, gt=0, description="Time for a whole HTTP request or upgrade to arrive."
    )
    first_message_seconds: float = Field(
        default=5, gt=0, description="Time for the first message after the upgrade."
    )
    silence_seconds: float = Field(
        default=60, gt=0, description="A client that sends nothing for so long is gone."
    )
    stalled_seconds: float = Field(
        default=10, gt=0, description="A client that can be sent no state for so long is too slow."
    )
    seat_seconds: float = Field(
        default=300,
        ge=0,
        description="How long a player's seat is kept after its connection was lost, unless the game says; 0: not at all.",
    )
    kept_sessions: int = Field(
        default=10_000,
        ge=1,
        description="Players without a connection whose seats are kept, at most; those gone for longest make room.",
    )
    expiry_seconds: float = Field(
        default=25,
        ge=0,
        description="Time for a client to show another token once the one that it came with has expired.",
    )
    poll_seconds: float = Field(
        default=25,
        ge=0,
        description="How long a polling client is kept waiting for something to say, at most.",
    )
    poll_bytes: int = Field(
        default=16384, ge=4096, description="Bytes of one request of a polling client, at most."
    )
    close_seconds: float = Field(
        default=2, gt=0, description="Time for a client to end a connection that is being closed."
    )
    pending_bytes: int = Field(
        default=65536,
        ge=4096,
        description="Bytes of events that may wait for a client before it is too slow.",
    )
    send_buffer_bytes: int = Field(
        default=65536, ge=8192, description="SO_SNDBUF of a game connection (the kernel doubles it)."
    )
    unsent_bytes: int = Field(default=16384, ge=1024, description="TCP_NOTSENT_LOWAT of a game connection.")
    header_bytes: int = Field(
        default=32768, ge=1024, description="Bytes of an HTTP request's line and headers, at most."
    )
    connections_per_address: int = Field(
        default=10,
        ge=0,
        description="Connections from one address at most, and seats kept for it; 0: any number."
        " Off on loopback in development.",
    )
    max_rooms: int = Field(
        default=10_000,
        ge=0,
        description="Rooms that are open at once on this instance, at most; 0: any number.",
    )
    reserved_seconds: float = Field(
        default=15, gt=0, description="How long a seat that was reserved over HTTP waits for its player."
    )
    requests_per_second: float = Field(
        default=10,
        gt=0,
        description="HTTP requests a second of one player, or of one address without a token.",
    )
    requests_burst: int = Field(default=50, ge=1, description="HTTP requests that may come at once.")
    guests_per_minute: float = Field(
        default=60,
        gt=0,
        description="Guests a minute who get their tokens from one address; as many at once. Off on loopback in development.",
    )
    rooms_per_hour: float = Field(
        default=5, gt=0, description="Rooms an hour that one player may open over HTTP; as many at once."
    )
    match_window: float = Field(
        default=100, ge=0, description="How far apart the ranks of players may be who are matched at once."
    )
    match_widening: float = Field(
        default=20, ge=0, description="How much farther for each second that a room has waited for players."
    )


class TokenBucket:
    """A rate with a burst. `take` says whether one more is within it; `flooded`, whether dropping is not enough."""

    __slots__ = ("_at", "_burst", "_credit", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._credit = 0.0
        self._at = now

    def take(self, now: float) -> bool:
        """Counts one. What comes over the rate is counted as well: a flood digs itself in."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate) - 1
        self._at = now
        if self._level < 0 and self._credit >= 1:
            self._credit -= 1
            self._level += 1
        return self._level >= 0

    def wait(self, now: float) -> float:
        """Seconds until one more is within the rate; 0 if it is. Counts nothing."""
        level = min(self._burst, self._level + (now - self._at) * self._rate)
        return max(0.0, (1 - level) / self._rate)

    def make_up_for(self, seconds: float, most: float) -> None:
        """In so much time nothing could be counted: what the rate allows in it may come at once, `most` at most."""
        self._credit = min(most, seconds * self._rate)

    @property
    def flooded(self) -> bool:
        """Whether as much again as the burst has come over the rate."""
        return self._level < -self._burst
