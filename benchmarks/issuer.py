"""Somebody who makes players' tokens, as an operator's own service does, and a server that is told to trust them."""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["AUDIENCE", "NAME", "Issuer"]

NAME, AUDIENCE = "https://accounts.example", "town"
SECONDS = 3600
RSA_BITS = 2048


class Issuer:
    """One with a new key, which is in a file in `folder` as the server wants it."""

    def __init__(self, folder: Path, algorithm: Literal["HS256", "RS256"] = "RS256") -> None:
        self.path = folder / f"keys-{algorithm}"
        self.algorithm = algorithm
        self._key: Any
        if algorithm == "RS256":
            self._key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
            public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            self.path.write_bytes(public)
        else:
            self._key = secrets.token_bytes(32)
            key = {"kty": "oct", "alg": "HS256", "k": urlsafe_b64encode(self._key).decode().rstrip("=")}
            self.path.write_text(dumps({"keys": [key]}))

    @property
    def settings(self) -> dict[str, str]:
        """Of a server that takes its tokens, as environment variables without MONKEYTOWN_."""
        return {
            "jwt_keys": str(self.path),
            "jwt_algorithm": self.algorithm,
            "jwt_issuer": NAME,
            "jwt_audience": AUDIENCE,
        }

    def token(self, id: str, *, now: Callable[[], float] = time.time) -> str:
        issued = int(now())
        claims = {"iss": NAME, "aud": AUDIENCE, "sub": id, "name": id.title()}
        return jwt.encode(claims | {"iat": issued, "exp": issued + SECONDS}, self._key, self.algorithm)
