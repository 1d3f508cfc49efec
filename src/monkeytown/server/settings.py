"""All that can be set, typed and documented: by a flag, by a MONKEYTOWN_* variable, or left at its default.

Knows names, types and meanings. The limits of the front are here too, under the names of `monkeytown.runtime.limits`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from monkeytown._core.senders import MAX_THREADS
from monkeytown.errors import StartError
from monkeytown.game import MAX_TICK_RATE
from monkeytown.readers.handshake import is_loopback
from monkeytown.runtime.limits import Limits
from monkeytown.runtime.shedding import MAX_STRIDE
from monkeytown.server.logs import LogFormat, LogLevel

__all__ = ["MIN_SECRET_BYTES", "Settings"]

MIN_SECRET_BYTES = 32

JwtAlgorithm = Literal["HS256", "RS256", "PS256", "ES256", "EdDSA"]


class Settings(BaseSettings, Limits):
    """The settings of one instance."""

    model_config = SettingsConfigDict(env_prefix="MONKEYTOWN_", extra="ignore", frozen=True)

    host: str = Field(
        default="127.0.0.1", description="Address to listen on. Anything but loopback needs a secret."
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    secret: SecretStr = Field(
        default=SecretStr(""), description="At least 32 bytes that nobody else knows; loopback does without."
    )
    former_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Secrets that were in use before, by commas: tokens made with them are good until they expire.",
    )
    guests: bool | None = Field(
        default=None,
        description="Whether players without a token are let in; unless set, on loopback only.",
    )
    jwt_keys: str = Field(
        default="",
        description="File with the keys of whoever makes your players' tokens: a JSON Web Key Set, or public keys in PEM.",
    )
    jwt_algorithm: JwtAlgorithm = Field(
        default="RS256",
        description="The one algorithm that these keys are used with: HS256, RS256, PS256, ES256 or EdDSA.",
    )
    jwt_issuer: str = Field(default="", description="What stands in these tokens as iss.")
    jwt_audience: str = Field(default="", description="What stands in these tokens as aud, or is among it.")
    jwt_leeway: float = Field(
        default=10,
        ge=0,
        le=30,
        description="Seconds by which the clocks of who makes tokens and who reads them may differ.",
    )
    origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Pages that may connect beside the server's own: origins such as https://example.com, by commas.",
    )
    data_folder: str = Field(
        default="",
        description="Folder for what must last; empty: where this system keeps such things of its users.",
    )
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="postgresql://user:password@host/name, sqlite:///file, or none; empty: a file in the data folder.",
    )
    database_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="How long the database may take for a statement before it counts as down.",
    )
    spool_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024 * 1024,
        description="Bytes that may wait on disk for the database; what comes beyond is not kept.",
    )
    redis_url: SecretStr = Field(
        default=SecretStr(""),
        description="redis://user:password@host:port of a Redis, 7 or later, or a cluster: makes this one of many.",
    )
    redis_prefix: str = Field(
        default="mt:",
        pattern=r"^[A-Za-z0-9_.:-]{1,64}$",
        description="What all names in Redis begin with, for those who share it.",
    )
    instance_name: str = Field(
        default="", description="What people call this instance; empty: its host and port."
    )
    own_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="A port beside, this process's alone where several share one; 0: none. --workers gives each one.",
    )
    lease_seconds: float = Field(
        default=2.0,
        ge=1,
        le=60,
        description="How long a room stays with an instance that is not heard of; then another one takes it.",
    )
    failover_seconds: float = Field(
        default=1.0,
        ge=0.1,
        le=60,
        description="How often rooms of games with a save are put down for other instances: what may be lost.",
    )
    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        le=20,
        description="How long the server still listens, while it says that it is not ready, before it hands over and stops.",
    )
    checkpoint_seconds: float = Field(
        default=10.0,
        ge=0,
        le=3600,
        description="How often a room of a game with a save goes to disk while it runs; 0: such rooms are not kept.",
    )
    record_rate: float = Field(
        default=20,
        ge=1,
        le=MAX_TICK_RATE,
        description="States a second in the recordings of games that are recorded, at most.",
    )
    replay_bytes: int = Field(
        default=1 << 30, ge=1 << 20, description="Bytes of all recordings together; the oldest make room."
    )
    replay_days: float = Field(
        default=30, ge=0, description="Days that recordings are kept; 0: as long as there is room."
    )
    max_players: int = Field(
        default=0, ge=0, description="Players in a room; 0: as the game says. Who comes later opens the next."
    )
    ack_window: float = Field(
        default=1.0,
        ge=0,
        description="Seconds of states a client may leave unacknowledged; 0: any, for load generators.",
    )
    socketio_rate: float = Field(
        default=20,
        ge=0,
        le=240,
        description="States a second for Socket.IO clients, at most; 0: they are not served.",
    )
    send_threads: int = Field(
        default=0,
        ge=0,
        le=MAX_THREADS,
        description="Threads that share the sends of rooms with many players; 0: none. For cores that have nothing to do.",
    )
    empty_room_seconds: float = Field(
        default=10.0, ge=0, description="How long a room waits for players before it ends."
    )
    max_stride: int = Field(
        default=MAX_STRIDE,
        ge=1,
        le=MAX_STRIDE,
        description="Ticks from one state to the next, at most, while the server is too busy; 1: always at every tick.",
    )
    longest_tick_seconds: float = Field(
        default=0.1,
        ge=0,
        description="A room that takes longer for three ticks in a row is ended, since all others wait for it; 0: never.",
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="What whoever reads /metrics must know, 32 bytes or more; without it, loopback only has /metrics.",
    )
    admin_token: SecretStr = Field(
        default=SecretStr(""),
        description="What whoever bans players must know, 32 bytes or more; without it nobody can.",
    )
    tls_certificate: str = Field(
        default="", description="File with the certificate chain, to serve TLS without a proxy."
    )
    tls_key: str = Field(default="", description="File with the key of the certificate.")
    simulate_latency: float = Field(
        default=0.0,
        ge=0,
        le=10_000,
        description="Milliseconds added to each round trip, to try a bad network on loopback.",
    )
    simulate_jitter: float = Field(
        default=0.0,
        ge=0,
        le=10_000,
        description="By up to so many milliseconds more the added round trip varies.",
    )
    simulate_loss: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Percent of what is sent that waits as for the repeat of a lost packet.",
    )
    log_level: LogLevel = Field(
        default="info", description="What is logged: debug, info, warning or error, and what is graver."
    )
    log_format: LogFormat = Field(
        default="console", description="console: lines for a person; json: an object a line, for a machine."
    )

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _in_small_letters(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("origins", "former_secrets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or origin != f"{parts.scheme}://{parts.netloc}"
                or not parts.netloc
            ):
                raise ValueError(f"{origin!r} is not an origin such as https://example.com")
        return value

    @property
    def folder(self) -> Path:
        """The data folder."""
        return Path(self.data_folder) if self.data_folder else platformdirs.user_data_path("monkeytown")

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server: development."""
        return is_loopback(self.host)

    @property
    def lets_guests_in(self) -> bool:
        return self.on_loopback if self.guests is None else self.guests

    def check(self) -> None:
        """Raises `StartError` if the server must not start like this."""
        if not self.on_loopback and len(self.secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise StartError(
                f"listening on {self.host} needs MONKEYTOWN_SECRET, of at least {MIN_SECRET_BYTES} bytes:"
                " monkeytown secret makes one"
            )
        if (
            self.redis_url.get_secret_value()
            and len(self.secret.get_secret_value().encode()) < MIN_SECRET_BYTES
        ):
            raise StartError(
                f"MONKEYTOWN_REDIS_URL needs MONKEYTOWN_SECRET, of at least {MIN_SECRET_BYTES} bytes and the same for all"
                " instances: monkeytown secret makes one"
            )
        if self.jwt_keys and not (self.jwt_issuer and self.jwt_audience):
            raise StartError(
                "MONKEYTOWN_JWT_KEYS needs MONKEYTOWN_JWT_ISSUER and MONKEYTOWN_JWT_AUDIENCE as well"
            )
        if 0 < len(self.admin_token.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise StartError(
                f"MONKEYTOWN_ADMIN_TOKEN has {MIN_SECRET_BYTES} bytes or more: monkeytown secret makes one"
            )
        token = self.metrics_token.get_secret_value().encode()
        if not self.on_loopback and 0 < len(token) < MIN_SECRET_BYTES:
            raise StartError(
                f"MONKEYTOWN_METRICS_TOKEN has {MIN_SECRET_BYTES} bytes or more: monkeytown secret makes one"
            )
        if not self.on_loopback and (self.simulate_latency or self.simulate_jitter or self.simulate_loss):
            raise StartError(
                "a bad network is simulated on loopback only: leave out --host, or MONKEYTOWN_SIMULATE_*"
            )
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise StartError("TLS needs both MONKEYTOWN_TLS_CERTIFICATE and MONKEYTOWN_TLS_KEY")
