"""The reference says what the code says."""

import re

import click

import monkeytown
from monkeytown.cli import monkeytown as command_line
from monkeytown.cli.settings import fields, shown, variable
from monkeytown.client.link import BAD_DATA, GOING_AWAY
from monkeytown.errors import ERROR_CODES
from monkeytown.game import HOOKS
from monkeytown.protocol.close import CloseCode
from tests.docs.pages import ROOT, table

ERRORS = ROOT / "docs/reference/errors.md"
COMMANDS = ROOT / "docs/reference/command-line.md"
SETTINGS = ROOT / "docs/reference/settings.md"
GAME = ROOT / "docs/reference/game.md"


def test_every_error_code_is_in_the_table():
    assert dict(table(ERRORS, "code")) == ERROR_CODES


def test_every_close_code_is_in_the_table():
    rows = [
        [str(code.value), code.name, code.reason, "yes" if code.may_return else "no"] for code in CloseCode
    ]
    assert table(ERRORS, "close code") == rows


def test_the_codes_that_clients_close_with_are_in_the_table():
    scripts = ROOT / "src/monkeytown/web/client"
    sent = r"^export const (?:NORMAL|BROKEN_MESSAGE|UNHEARD) = (\d+);$"
    ours = {str(BAD_DATA), str(GOING_AWAY)}
    codes = {*ours, *re.findall(sent, (scripts / "codes.js").read_text(), re.MULTILINE)}
    assert {code for code, _ in table(ERRORS, "a client's code")} == codes
    silence = re.search(r"^const SILENCE = (\d+)000;$", (scripts / "connection.js").read_text(), re.MULTILINE)
    assert silence
    assert f"nothing for {silence[1]} seconds" in ERRORS.read_text()


def leaves(command: click.Command, path: str = "monkeytown") -> dict[str, click.Command]:
    """Every command that does something, by what is typed."""
    if not isinstance(command, click.Group):
        return {path: command}
    return {
        name: leaf
        for part in command.commands.values()
        for name, leaf in leaves(part, f"{path} {part.name}").items()
    }


def test_every_command_and_option_is_described():
    sections = dict(re.findall(r"^## (.+)\n([^#]*)", COMMANDS.read_text(), re.MULTILINE))
    found = leaves(command_line)
    assert list(sections) == list(found)
    for name, command in found.items():
        options = {
            max(parameter.opts, key=len)
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.hidden
        }
        assert set(re.findall(r"^\| `(--[\w-]+)` \|", sections[name], re.MULTILINE)) == options, name


def test_every_setting_is_described_as_the_settings_class_has_it():
    rows = [[variable(name), shown(field.default), field.description] for name, field in fields()]
    assert table(SETTINGS, "variable") == rows


def test_every_hook_and_every_exported_name_is_in_the_game_api():
    page = GAME.read_text()
    assert {hook for hook in HOOKS if f"`{hook}(" not in page} == set()
    names = set(monkeytown.__all__) - {"MonkeytownError", "StartError", "WireError", "Players"}
    assert {name for name in names if not re.search(rf"\b{name}\b", page)} == set()
