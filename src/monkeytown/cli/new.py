"""`monkeytown new`: a game that runs at once, and a test of it.

Knows the two files it writes. Everything in them is the public API, so what it writes is also the shortest tour of it.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import click

from monkeytown.cli.loading import refuse_shadowing
from monkeytown.errors import StartError

__all__ = ["new"]

GAME = '''\
"""{title}: everybody steers a dot."""

from monkeytown import Entity, Game, Input, fixed, table, text


class Dot(Entity):
    x = fixed(0, 640, step=1 / 8, predict="linear", default=320)
    y = fixed(0, 360, step=1 / 8, predict="linear", default=180)
    name = text(24)


class Steer(Input):
    right = fixed(-1, 1, step=1 / 100)
    down = fixed(-1, 1, step=1 / 100)


class {title}(Game):
    input = Steer
    dots = table(Dot, capacity=100)

    def on_join(self, player):
        player.entity = self.dots.spawn(name=player.name)
        player.entity.steer = Steer()

    def on_input(self, player, steer):
        player.entity.steer = steer

    def on_tick(self, dt):
        for dot in self.dots:
            dot.x += 200 * dt * dot.steer.right
            dot.y += 200 * dt * dot.steer.down
'''

TEST = """\
from {module} import {title}
from monkeytown.testing import play


def test_a_dot_goes_where_it_is_steered():
    with play({title}) as room:
        ada = room.join("Ada")
        ada.input(right=1)
        room.run(seconds=1)
        assert round(ada.entity.x) == 320 + 200
        assert ada.entity.y == 180
"""


@click.command()
@click.argument("name")
def new(name: str) -> None:
    """Write NAME.py, a game that runs at once, and test_NAME.py, a test of it, into the current folder."""
    module = name.removesuffix(".py")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", module) or keyword.iskeyword(module):
        raise StartError(
            f"{module!r} cannot be the name of a game: use letters, digits and _, a letter first"
        )
    path, test_path = Path(f"{module}.py"), Path(f"test_{module}.py")
    for file in (path, test_path):
        if file.exists():
            raise StartError(f"{file} exists already")
    refuse_shadowing(module, path.resolve())
    title = "".join(part[:1].upper() + part[1:] for part in module.split("_"))
    path.write_text(GAME.format(title=title))
    test_path.write_text(TEST.format(title=title, module=module))
    click.echo(f"{path} and {test_path} are there. Play it:  monkeytown run {path} --reload")
