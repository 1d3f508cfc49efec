"""What can be set, from where, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from monkeytown.errors import StartError
from monkeytown.runtime.limits import Limits
from monkeytown.server.settings import MIN_SECRET_BYTES, Settings


def test_development_needs_no_settings() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.on_loopback) == ("127.0.0.1", 8000, True)
    settings.check()


def test_variables_and_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONKEYTOWN_PORT", "9000")
    monkeypatch.setenv("MONKEYTOWN_ACK_WINDOW", "0")
    monkeypatch.setenv("MONKEYTOWN_MESSAGE_BYTES", "8192")
    monkeypatch.setenv("MONKEYTOWN_ORIGINS", "https://a.example, http://b.example:8080")
    settings = Settings(port=9001)
    assert settings.port == 9001
    assert settings.ack_window == 0
    assert settings.message_bytes == 8192
    assert settings.origins == ("https://a.example", "http://b.example:8080")


def test_every_limit_can_be_set_and_everything_is_explained() -> None:
    assert set(Limits.model_fields) < set(Settings.model_fields)
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    "bad",
    [
        {"port": 65536},
        {"port": -1},
        {"ack_window": -1},
        {"max_players": -1},
        {"message_bytes": 10},
        {"origins": "example.com"},
        {"origins": "https://example.com/"},
        {"origins": "*"},
        {"max_stride": 0},
        {"max_stride": 4},
        {"origins": "https://"},
    ],
)
def test_values_without_sense_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "play.example.com", ""])
@pytest.mark.parametrize("secret", ["", "short", "x" * (MIN_SECRET_BYTES - 1)])
def test_beyond_loopback_a_secret_is_needed(host: str, secret: str) -> None:
    with pytest.raises(StartError) as error:
        Settings(host=host, secret=secret).check()  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert "MONKEYTOWN_SECRET" in str(error.value)
    assert not secret or secret not in str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_does_without(host: str) -> None:
    Settings(host=host).check()


def test_beyond_loopback_with_a_secret() -> None:
    Settings(host="0.0.0.0", secret="x" * MIN_SECRET_BYTES).check()  # type: ignore[arg-type]


def test_beyond_loopback_a_token_for_metrics_is_long() -> None:
    secret = "x" * MIN_SECRET_BYTES
    with pytest.raises(StartError, match="MONKEYTOWN_METRICS_TOKEN"):
        Settings(host="0.0.0.0", secret=secret, metrics_token="short").check()  # type: ignore[arg-type]
    Settings(host="0.0.0.0", secret=secret, metrics_token=secret).check()  # type: ignore[arg-type]
    Settings(metrics_token="short").check()  # type: ignore[arg-type]


def test_an_administrators_token_is_long_on_loopback_too() -> None:
    with pytest.raises(StartError, match="MONKEYTOWN_ADMIN_TOKEN"):
        Settings(admin_token="x" * (MIN_SECRET_BYTES - 1)).check()  # type: ignore[arg-type]
    Settings(admin_token="x" * MIN_SECRET_BYTES).check()  # type: ignore[arg-type]


def test_a_secret_is_not_shown() -> None:
    settings = Settings(
        secret="very secret indeed", metrics_token="very secret too", admin_token="very secret"
    )  # type: ignore[arg-type]
    assert "very secret" not in repr(settings)
    assert "very secret" not in str(settings.model_dump())


def test_half_of_tls_is_refused() -> None:
    with pytest.raises(StartError, match="both"):
        Settings(tls_key="key.pem").check()
