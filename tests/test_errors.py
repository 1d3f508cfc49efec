"""The tree of errors, and the codes that players are told."""

from __future__ import annotations

import re

import pytest

from monkeytown import errors
from monkeytown.errors import ERROR_CODES, HookError, MonkeytownError, Refusal


def test_every_error_is_one_of_ours() -> None:
    for name in errors.__all__:
        value = getattr(errors, name)
        assert not isinstance(value, type) or issubclass(value, MonkeytownError)


def test_values_that_do_not_fit_are_value_errors() -> None:
    assert issubclass(errors.FieldError, ValueError)
    assert issubclass(errors.WireError, ValueError)


@pytest.mark.parametrize("code", ERROR_CODES)
def test_codes_have_the_platforms_form_and_a_sentence(code: str) -> None:
    assert re.fullmatch(r"(AUTH|CHAT|GAME|REST|WS|INPUT|SYS)-\d{3}", code)
    assert ERROR_CODES[code].endswith(".")


def test_a_refusal_says_what_the_rules_say() -> None:
    refusal = Refusal("It is not your turn.")
    assert (refusal.code, refusal.message) == ("GAME-100", "It is not your turn.")
    assert str(refusal) == "GAME-100: It is not your turn."


def test_a_refusal_without_words_says_what_its_code_means() -> None:
    assert Refusal(code="GAME-002").message == "The room is full."
    with pytest.raises(KeyError):
        Refusal(code="GAME-999")


def test_a_hook_error_names_all_there_is_to_know() -> None:
    cause = ValueError("no banana")
    error = HookError(game="Jungle", hook="on_tick", room="r-1", file="jungle.py", line=7, cause=cause)
    assert str(error) == "Jungle.on_tick raised ValueError: no banana (jungle.py:7, room r-1)"
    assert error.__cause__ is cause
    assert (error.game, error.hook, error.room, error.file, error.line) == (
        "Jungle",
        "on_tick",
        "r-1",
        "jungle.py",
        7,
    )
