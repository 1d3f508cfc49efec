"""The game that the README opens with is a game that two people can play."""

from pathlib import Path

from monkeytown.cli.loading import load
from monkeytown.testing import play
from tests.docs.pages import ROOT, blocks


def test_the_readmes_game_is_played(tmp_path: Path):
    path = tmp_path / "readme_dots.py"
    path.write_text(blocks(ROOT / "README.md")[0].text)
    with play(load(str(path))) as room:
        ada, bo = room.join("Ada"), room.join("Bo")
        ada.input(right=1, down=-1)
        room.run(seconds=1)
        assert (ada.entity.x, ada.entity.y) == (325, 175)
        assert [(dot.x, dot.y) for dot in bo.tables.dots] == [(325, 175), (320, 180)]
        bo.leave()
        room.step()
        assert len(ada.tables.dots) == 1
