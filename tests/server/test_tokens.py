"""Tokens: those that are good, and all the ways in which others are not."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from hashlib import sha256
from hmac import new as hmac
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monkeytown.errors import Refusal, StartError
from monkeytown.server.tokens import ISSUER, MOST_SECONDS, Key, KeyFile, Tokens, own_key

SECRET = "an operator's secret of many characters"
RSA = rsa.generate_private_key(65537, 2048)
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
THEIRS = Key("2026-a", RSA.public_key(), "RS256", "https://id.example.com", "monkeytown.example.com")
NOW = 1_800_000_000.0


def tokens(keys: Callable[[], tuple[Key, ...]] = lambda: (THEIRS,), *own: str, now: float = NOW) -> Tokens:
    return Tokens(own or (SECRET,), keys=keys, now=lambda: now)


def claims(**changes: Any) -> dict[str, Any]:
    about = {
        "iss": THEIRS.issuer,
        "aud": THEIRS.audience,
        "sub": "ann",
        "iat": int(NOW) - 60,
        "exp": int(NOW) + 600,
    }
    return {name: value for name, value in (about | changes).items() if value is not ...}


def signed(payload: Any = None, header: dict[str, Any] | None = None, key: Any = RSA) -> str:
    """An RS256 token of whatever is put in."""
    about = {"alg": "RS256", "typ": "JWT", "kid": "2026-a"} if header is None else header
    body = (
        payload
        if isinstance(payload, bytes)
        else json.dumps(claims() if payload is None else payload).encode()
    )
    text = f"{b64(json.dumps(about).encode())}.{b64(body)}"
    return f"{text}.{b64(jwt.get_algorithm_by_name('RS256').sign(text.encode(), key))}"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hs256(header: dict[str, Any], payload: dict[str, Any], key: bytes) -> str:
    text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(payload).encode())}"
    return f"{text}.{b64(hmac(key, text.encode(), sha256).digest())}"


def unsigned(header: dict[str, Any]) -> str:
    return ".".join((b64(json.dumps(header).encode()), b64(json.dumps(claims()).encode()), ""))


def own_claims(**changes: Any) -> dict[str, Any]:
    return claims(iss=ISSUER, aud=ISSUER, **changes)


def test_what_is_issued_is_good() -> None:
    here = tokens()
    token, expires = here.issue("ann", "Ann", guest=True, seconds=600)
    assert expires == NOW + 600
    assert here.is_own(token)
    assert here.check(token) == ("ann", "Ann", True, NOW, NOW + 600, b"{}", True)
    token, _ = here.issue("bob", None, guest=False, seconds=600)
    assert (here.check(token).name, here.check(token).guest) == (None, False)


def test_what_was_issued_with_a_former_secret_is_good() -> None:
    token, _ = tokens().issue("ann", "Ann", guest=True, seconds=600)
    assert Tokens(["a newer secret", SECRET], now=lambda: NOW).check(token).id == "ann"
    with pytest.raises(Refusal, match="AUTH-001"):
        Tokens(["a newer secret"], now=lambda: NOW).check(token)


def test_a_token_of_theirs_is_good() -> None:
    here = tokens()
    assert here.check(signed()).id == "ann"
    assert not here.is_own(signed())
    assert here.check(signed(header={"alg": "RS256"})).id == "ann"  # there is one key only
    assert here.check(signed(claims(aud=["x", THEIRS.audience]))).id == "ann"
    assert here.check(signed(claims(name="Ann" * 100))).name == ("Ann" * 100)[:64]
    # Nobody's guest but our own.
    assert here.check(signed(claims(guest=True))).guest is False


def test_clocks_may_differ_a_little() -> None:
    here = tokens()
    assert here.check(signed(claims(iat=int(NOW) + 9, nbf=int(NOW) + 9))).id == "ann"
    assert here.check(signed(claims(exp=int(NOW) - 9))).id == "ann"
    with pytest.raises(Refusal, match="AUTH-004"):
        here.check(signed(claims(exp=int(NOW) - 10)))


def _nested() -> bytes:
    return b"[" * 1200 + b"]" * 1200


ATTACKS: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "not a token": lambda: "ann",
    "two parts": lambda: ".".join(signed().split(".")[:2]),
    "four parts": lambda: signed() + ".x",
    "no algorithm": lambda: unsigned({"alg": "none"}),
    "no algorithm, in capitals": lambda: unsigned({"alg": "NONE", "kid": "2026-a"}) + "x",
    "an empty signature": lambda: signed().rpartition(".")[0] + ".",
    "another signature": lambda: signed()[:-8] + "AAAAAAAA",
    "another payload": lambda: ".".join(
        (signed().split(".")[0], b64(json.dumps(claims(sub="bob")).encode()), signed().split(".")[2])
    ),
    "another key": lambda: signed(key=rsa.generate_private_key(65537, 2048)),
    "the public key as a secret": lambda: hs256({"alg": "HS256", "kid": "2026-a"}, claims(), PEM),
    "the public key as a secret, without a name": lambda: hs256({"alg": "HS256"}, claims(), PEM),
    "the secret itself as the key": lambda: hs256(
        {"alg": "HS256", "kid": own_key(SECRET).id}, own_claims(), SECRET.encode()
    ),
    "our key's name, their signature": lambda: signed(
        own_claims(), {"alg": "RS256", "kid": own_key(SECRET).id}
    ),
    "our issuer, their signature": lambda: signed(own_claims()),
    "another algorithm of the same kind": lambda: signed(header={"alg": "RS512", "kid": "2026-a"}),
    "an unknown key": lambda: signed(header={"alg": "RS256", "kid": "2027"}),
    "a path for a key": lambda: signed(header={"alg": "RS256", "kid": "../../../../dev/null"}),
    "a query for a key": lambda: signed(header={"alg": "RS256", "kid": "x' UNION SELECT 'key"}),
    "a number for a key": lambda: signed(header={"alg": "RS256", "kid": 7}),
    "a key that comes along": lambda: signed(
        header={"alg": "RS256", "kid": "2026-a", "jwk": {"kty": "oct", "k": "eA"}}
    ),
    "an address of keys": lambda: signed(
        header={"alg": "RS256", "kid": "2026-a", "jku": "https://evil.example.com/keys"}
    ),
    "an address of a certificate": lambda: signed(
        header={"alg": "RS256", "x5u": "https://evil.example.com/"}
    ),
    "something critical": lambda: signed(header={"alg": "RS256", "kid": "2026-a", "crit": ["x"], "x": 1}),
    "a payload as it is": lambda: signed(header={"alg": "RS256", "kid": "2026-a", "b64": False}),
    "a token of another type": lambda: signed(header={"alg": "RS256", "kid": "2026-a", "typ": "JWE"}),
    "a list for a header": lambda: ".".join((b64(b"[]"), *signed().split(".")[1:])),
    "an algorithm twice": lambda: ".".join(
        (b64(b'{"alg":"none","alg":"RS256","kid":"2026-a"}'), *signed().split(".")[1:])
    ),
    "a player twice": lambda: signed(json.dumps(claims()).encode()[:-1] + b',"sub":"bob"}'),
    "a list for claims": lambda: signed(b"[]"),
    "a header without end": lambda: ".".join((b64(_nested()), *signed().split(".")[1:])),
    "claims without end": lambda: signed(_nested()),
    "claims that are no JSON": lambda: signed(b"{"),
    "no expiry": lambda: signed(claims(exp=...)),
    "an expiry as text": lambda: signed(claims(exp=str(int(NOW) + 600))),
    "half a second": lambda: signed(claims(exp=NOW + 600.5)),
    "an expiry without end": lambda: signed(claims(exp=float("inf"))),
    "an expiry that is no number": lambda: signed(claims(exp=float("nan"))),
    "an expiry that is a truth": lambda: signed(claims(exp=True)),
    "an expiry far away": lambda: signed(claims(exp=int(NOW) + MOST_SECONDS + 1)),
    "an expiry beyond all numbers": lambda: signed(claims(exp=10**40)),
    "no beginning": lambda: signed(claims(iat=...)),
    "made tomorrow": lambda: signed(claims(iat=int(NOW) + 86400)),
    "not yet": lambda: signed(claims(nbf=int(NOW) + 86400)),
    "no issuer": lambda: signed(claims(iss=...)),
    "another issuer": lambda: signed(claims(iss="https://id.example.com.evil.example")),
    "no audience": lambda: signed(claims(aud=...)),
    "another audience": lambda: signed(claims(aud="shop.example.com")),
    "other audiences": lambda: signed(claims(aud=["shop.example.com"])),
    "a map for an audience": lambda: signed(claims(aud={THEIRS.audience: 1})),
    "no player": lambda: signed(claims(sub=...)),
    "an empty player": lambda: signed(claims(sub="")),
    "a player with a NUL": lambda: signed(claims(sub="ann\0")),
    "a player of a million": lambda: signed(claims(sub="x" * 129)),
    "a number for a player": lambda: signed(claims(sub=7)),
    "64 KB": lambda: signed(claims(name="x" * 65536)),
    "Unicode": lambda: signed() + "ä",
    "a line break": lambda: signed() + "\n",
    "white space": lambda: signed().replace(".", " .", 1),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused(attack: str) -> None:
    with pytest.raises(Refusal) as refused:
        tokens().check(ATTACKS[attack]())
    assert refused.value.code == "AUTH-001"
    assert refused.value.message == "The token was refused."


@pytest.mark.parametrize("attack", ["nothing", "a header without end", "another issuer"])
def test_nor_is_it_our_own(attack: str) -> None:
    assert not tokens().is_own(ATTACKS[attack]())


def test_an_expired_token_is_told_apart() -> None:
    with pytest.raises(Refusal, match="AUTH-004"):
        tokens().check(signed(claims(exp=int(NOW) - 3600)))


class TestAKeyFile:
    ABOUT = {"issuer": THEIRS.issuer, "audience": THEIRS.audience}

    @staticmethod
    def jwks(*keys: tuple[str, Any, str]) -> bytes:
        found = []
        for id, key, algorithm in keys:
            about = jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True)
            found.append(about | {"kid": id, "alg": algorithm, "use": "sig"})
        return json.dumps({"keys": found}).encode()

    @pytest.mark.parametrize(
        ("algorithm", "private"),
        [
            ("RS256", RSA),
            ("PS256", RSA),
            ("ES256", ec.generate_private_key(ec.SECP256R1())),
            ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
        ],
    )
    def test_of_each_algorithm(self, tmp_path: Path, algorithm: str, private: Any) -> None:
        token = jwt.encode(claims(), private, algorithm, headers={"kid": "a"})
        (tmp_path / "keys.json").write_bytes(self.jwks(("a", private.public_key(), algorithm)))
        keys = KeyFile(tmp_path / "keys.json", algorithm=algorithm, **self.ABOUT)
        assert tokens(keys).check(token).id == "ann"
        pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / "keys.pem").write_bytes(pem)
        keys = KeyFile(tmp_path / "keys.pem", algorithm=algorithm, **self.ABOUT)
        assert tokens(keys).check(jwt.encode(claims(), private, algorithm)).id == "ann"

    def test_of_a_shared_secret(self, tmp_path: Path) -> None:
        file = tmp_path / "keys.json"
        file.write_text(json.dumps({"keys": [{"kty": "oct", "kid": "a", "k": b64(b"s" * 32)}]}))
        keys = KeyFile(file, algorithm="HS256", **self.ABOUT)
        token = jwt.encode(claims(), b"s" * 32, "HS256", headers={"kid": "a"})
        assert tokens(keys).check(token).id == "ann"

    def test_is_read_again_when_it_has_changed(self, tmp_path: Path) -> None:
        old, new = RSA, rsa.generate_private_key(65537, 2048)
        of = {
            name: jwt.encode(claims(), key, "RS256", headers={"kid": name})
            for name, key in (("old", old), ("new", new))
        }
        file = tmp_path / "keys.json"
        file.write_bytes(self.jwks(("old", old.public_key(), "RS256")))
        here = tokens(KeyFile(file, algorithm="RS256", **self.ABOUT))
        assert here.check(of["old"]).id == "ann"
        file.write_bytes(self.jwks(("old", old.public_key(), "RS256"), ("new", new.public_key(), "RS256")))
        assert {here.check(token).id for token in of.values()} == {"ann"}
        file.write_bytes(self.jwks(("new", new.public_key(), "RS256")))
        assert here.check(of["new"]).id == "ann"
        with pytest.raises(Refusal):
            here.check(of["old"])
        # What cannot be read leaves the keys as they were.
        file.write_text("{")
        assert here.check(of["new"]).id == "ann"
        file.unlink()
        assert here.check(of["new"]).id == "ann"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "No such file"),
            (b"", "none of them is for RS256"),
            (b"{", "Expecting"),
            (b"{}", "not a JSON Web Key Set"),
            (b'{"keys": []}', "none of them is for RS256"),
            (b'{"keys": [7, {"kty": "oct", "k": "eA", "alg": "HS256"}]}', "none of them is for RS256"),
            (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "keys in"),
        ],
    )
    def test_without_keys_is_no_start(self, tmp_path: Path, content: bytes | None, words: str) -> None:
        if content is not None:
            (tmp_path / "keys").write_bytes(content)
        with pytest.raises(StartError, match=words):
            KeyFile(tmp_path / "keys", algorithm="RS256", **self.ABOUT)()


def test_time_is_the_time_that_it_is() -> None:
    here = Tokens([SECRET])
    token, expires = here.issue("ann", None, guest=False, seconds=60)
    assert abs(expires - time.time() - 60) < 5
    assert here.check(token).id == "ann"
