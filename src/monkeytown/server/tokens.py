"""JSON Web Tokens (RFC 7519): those that this server makes, and those that are signed with keys it was given.

Knows keys, claims and time; does not know players beyond what a token says. Nothing in a token chooses how it is checked:
the algorithm, issuer and audience belong to the key, the key is looked up by its name in a list, and a header that asks for
anything else is refused before any key is touched (RFC 8725, 3.1, 3.8, 3.9, 3.10).
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import jwt

from monkeytown.errors import Refusal, StartError
from monkeytown.identity import Identity, is_player_id

__all__ = ["ALGORITHMS", "ISSUER", "Key", "KeyFile", "Tokens", "own_key"]

ALGORITHMS = ("HS256", "RS256", "PS256", "ES256", "EdDSA")
"""Of which one is pinned to a key."""

ISSUER = "monkeytown"
"""Of the tokens that the server makes itself, and their audience."""

MOST_BYTES = 4096
MOST_SECONDS = 90 * 24 * 3600
"""That a token may still be good for: one that never expires cannot be called back."""
NAME_CHARACTERS = 64

_HEADER = {"alg", "kid", "typ"}
_TYPES = (None, "JWT", "at+jwt")
_PART = re.compile(r"[A-Za-z0-9_-]+")


class Key(NamedTuple):
    """One key and all that it vouches for."""

    id: str
    key: Any
    algorithm: str
    issuer: str
    audience: str


class Tokens:
    """Checks tokens with any of its keys, and makes them with the first of its own.

    `own` are the server's secrets: tokens are made with the first, and those of all are good. `keys` are asked for each time,
    so that they can be other ones from one moment to the next.
    """

    def __init__(
        self,
        own: Iterable[str],
        *,
        keys: Callable[[], Iterable[Key]] = tuple,
        leeway: float = 10.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._own = [own_key(secret) for secret in own]
        self._keys = keys
        self._leeway = leeway
        self._now = now

    def issue(self, player_id: str, name: str | None, *, guest: bool, seconds: float) -> tuple[str, float]:
        """A token of the server's own, and when it expires."""
        key, now = self._own[0], int(self._now())
        expires = now + int(seconds)
        claims = {"iss": key.issuer, "aud": key.audience, "sub": player_id, "iat": now, "exp": expires}
        claims |= {"guest": guest} | ({} if name is None else {"name": name})
        return jwt.encode(claims, key.key, key.algorithm, headers={"kid": key.id}), float(expires)

    def is_own(self, token: str) -> bool:
        """Whether a token says that it is one of the server's own."""
        try:
            return _taken_apart(token)[0].get("kid") in {key.id for key in self._own}
        except (ValueError, RecursionError):
            return False

    def check(self, token: str) -> Identity:
        """Who a token stands for. Raises `Refusal`."""
        try:
            header, payload, signature = _taken_apart(token)
            key = self._key(header)
            signed = token[: token.rindex(".")].encode()
            if not jwt.get_algorithm_by_name(key.algorithm).verify(signed, key.key, signature):
                raise ValueError("not signed with this key")
            return self._identity(_map(payload), key)
        except (ValueError, RecursionError, jwt.PyJWTError):
            # Why is nothing that whoever tries is told.
            raise Refusal(code="AUTH-001") from None

    def _key(self, header: Mapping[str, object]) -> Key:
        """The key that a header names; the only one if it names none."""
        kid, algorithm = header.get("kid"), header["alg"]
        if kid is None:
            keys = list(self._keys())
            if len(keys) != 1:
                raise ValueError("which key?")
        else:
            keys = [key for key in (*self._own, *self._keys()) if key.id == kid]
        for key in keys:
            if key.algorithm == algorithm:
                return key
        raise ValueError("no such key")

    def _identity(self, claims: Mapping[str, Any], key: Key) -> Identity:
        audience = claims.get("aud")
        if claims.get("iss") != key.issuer or key.audience not in (
            audience if isinstance(audience, list) else [audience]
        ):
            raise ValueError("it is for somebody else")
        now = self._now()
        issued, expires, begins = claims.get("iat"), claims.get("exp"), claims.get("nbf", 0)
        if not (type(issued) is type(expires) is type(begins) is int):
            raise ValueError("moments are whole numbers")
        if issued > now + self._leeway or begins > now + self._leeway or expires > now + MOST_SECONDS:
            raise ValueError("not yet, or for too long")
        if expires <= now - self._leeway:
            raise Refusal(code="AUTH-004")
        name, player_id = claims.get("name"), claims.get("sub")
        if not isinstance(player_id, str) or not is_player_id(player_id):
            raise ValueError("not a player's id")
        guest = key.issuer == ISSUER and claims.get("guest") is True
        return Identity(
            player_id,
            name=name[:NAME_CHARACTERS] if isinstance(name, str) else None,
            guest=guest,
            issued=float(issued),
            expires=float(expires),
        )


def own_key(secret: str) -> Key:
    """The server's own, made of a secret: what a token is signed with is not what other things are."""
    key = sha256(b"monkeytown token\0" + secret.encode()).digest()
    prepared = jwt.get_algorithm_by_name("HS256").prepare_key(key)
    return Key(f"own-{sha256(key).hexdigest()[:16]}", prepared, "HS256", ISSUER, ISSUER)


class KeyFile:
    """Keys in a file: a JSON Web Key Set (RFC 7517), or public keys in PEM.

    It is read again when it is another one, so that keys are changed without a restart.
    """

    def __init__(self, path: Path, *, algorithm: str, issuer: str, audience: str) -> None:
        self._path = path
        self._about = algorithm, issuer, audience
        self._stamp: tuple[int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def __call__(self) -> tuple[Key, ...]:
        """The keys as they are now, or were when they could last be read. Raises `StartError` if they never could."""
        try:
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_size
            if stamp != self._stamp:
                self._keys = tuple(self._read(self._path.read_bytes()))
                self._stamp = stamp
        except (OSError, ValueError, jwt.PyJWTError) as error:
            if not self._keys:
                reason = error.strerror if isinstance(error, OSError) else error
                raise StartError(f"there are no keys in {self._path}: {reason}") from None
        return self._keys

    def _read(self, content: bytes) -> Iterable[Key]:
        algorithm, issuer, audience = self._about
        if content.lstrip().startswith(b"{"):
            found = _of_set(json.loads(content), algorithm)
        else:
            prepare = jwt.get_algorithm_by_name(algorithm).prepare_key
            parts = re.findall(rb"-----BEGIN [^-]+-----.+?-----END [^-]+-----", content, re.DOTALL)
            found = [(f"key-{number}", prepare(part)) for number, part in enumerate(parts, 1)]
        if not found:
            raise ValueError(f"none of them is for {algorithm}")
        return [Key(id, key, algorithm, issuer, audience) for id, key in found]


def _of_set(content: Any, algorithm: str) -> list[tuple[str, Any]]:
    keys = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(keys, list):
        raise ValueError("it is not a JSON Web Key Set")
    found = []
    for number, key in enumerate(keys, 1):
        if (
            not isinstance(key, dict)
            or key.get("alg", algorithm) != algorithm
            or key.get("use", "sig") != "sig"
        ):
            continue
        found.append(
            (str(key.get("kid", f"key-{number}")), jwt.PyJWK.from_dict(key, algorithm=algorithm).key)
        )
    return found


def _taken_apart(token: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Header, payload and signature (RFC 7515, 3.1), if the header asks for nothing. Raises ValueError."""
    parts = token.split(".")
    if len(token) > MOST_BYTES or len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise ValueError("not a token")
    content, payload, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
    header = _map(content)
    if not header.keys() <= _HEADER or header.get("typ") not in _TYPES:
        raise ValueError("it asks for something")
    if not isinstance(header.get("alg"), str) or not isinstance(header.get("kid", ""), str):
        raise ValueError("not names")
    return header, payload, signature


def _map(content: bytes) -> dict[str, Any]:
    """A map that names nothing twice. Raises ValueError."""
    found = json.loads(content, object_pairs_hook=_once)
    if not isinstance(found, dict):
        raise ValueError("not a map")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found
